// Sets the chosen theme before the page is painted; a classic script so that it blocks.
try {
  const theme = localStorage.getItem('sf-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch { /* storage may be forbidden */ }
