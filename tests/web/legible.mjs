// Whether the text of a page can be read: no word is broken, runs out of its box, is cut off, or lies on another. What is measured
// are the rectangles that the browser drew each word in.

/* Letters that no designer has chosen: wide ones, and not by the generic family alone, at which browsers make letters smaller. They
 * come in a sheet of the document's own, which its policy allows. */
const WIDE = '* { font-family: "DejaVu Sans Mono", monospace !important; letter-spacing: 0.12em !important; }';

/* Puts the page into wide letters, or back. */
const setWide = (page, wide) => page.evaluate((css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [sheet];
}, wide ? WIDE : '');

/** What is wrong with the text that can be seen, in words; runs inside the page. */
function findTroubles() {
  const found = new Set(), placed = [];
  const ROOMY = 0.8 * (innerWidth - 32); // a word longer than that has to be broken somewhere
  const name = (el) => `${el.localName}${[...el.classList].map((c) => `.${c}`).join('')}`;
  const shown = (el) => el.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !el.closest('.visually-hidden, .skip-link, noscript, option');
  const scrolls = (style) => /auto|scroll/.test(style.overflowX);
  const cuts = (style) => /hidden|clip/.test(style.overflowX + style.overflowY);
  /* The boxes that a word must not leave, from the inside out, up to one that scrolls or is placed on its own. */
  const boxesOf = (el) => {
    const boxes = [];
    for (let e = el; e && e !== document.documentElement; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.display === 'contents') continue;
      if (scrolls(style)) return { boxes, scrolled: true };
      if (style.webkitLineClamp !== 'none') return null; // cut on purpose
      if (style.display !== 'inline') boxes.push({ el: e, rect: e.getBoundingClientRect(), cuts: cuts(style) });
      if (/absolute|fixed/.test(style.position)) return { boxes, scrolled: false };
    }
    return { boxes, scrolled: false };
  };
  const range = document.createRange();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const el = node.parentElement;
    if (!node.data.trim() || !shown(el)) continue;
    const around = boxesOf(el);
    if (!around) continue;
    const { boxes, scrolled } = around;
    const hidden = (r) => boxes.some((b) => b.cuts && (r.left >= b.rect.right || r.top >= b.rect.bottom - 1));
    const say = (what, word) => found.add(`${name(el)}: "${word}" ${what}`);
    for (const { 0: token, index } of node.data.matchAll(/\S+/g)) {
      const names = /[@_{}<>=/]|[a-z]\.[a-z]/.test(token); // an address, a path, a name for programs: may be broken anywhere
      for (const { 0: word, index: at } of token.matchAll(/[\p{L}\p{N}]+(?:[.,:'’][\p{L}\p{N}]+)*/gu)) {
        range.setStart(node, index + at);
        range.setEnd(node, index + at + word.length);
        const rects = [...range.getClientRects()].filter((r) => r.width > 0 && !hidden(r));
        if (!rects.length) continue;
        const width = rects.reduce((sum, r) => sum + r.width, 0);
        if (!names && width < ROOMY && rects.some((r) => Math.abs(r.top - rects[0].top) > r.height / 2)) say(`is broken in ${rects.length} lines`, word);
        for (const r of rects) {
          if (!scrolled && (r.left < -1 || r.right > innerWidth + 1)) say('runs off the screen', word);
          const out = boxes.find((b) => r.left < b.rect.left - 1.5 || r.right > b.rect.right + 1.5 || r.bottom > b.rect.bottom + r.height / 3);
          if (out) say(`${out.cuts ? 'is cut off by' : 'runs out of'} ${name(out.el)}`, word);
        }
        const root = el.closest('header, main, footer, nav, dialog, .toasts');
        for (const rect of rects) placed.push({ el, node, word, rect, root });
      }
    }
  }
  placed.sort((a, b) => a.rect.top - b.rect.top);
  for (const [i, a] of placed.entries()) {
    for (let k = i + 1; k < placed.length && placed[k].rect.top < a.rect.bottom; k++) {
      const b = placed[k], r = a.rect, s = b.rect;
      if (a.node === b.node || a.root !== b.root) continue;
      const wide = Math.min(r.right, s.right) - Math.max(r.left, s.left), high = Math.min(r.bottom, s.bottom) - s.top;
      if (wide > 2 && high > 0.4 * Math.min(r.height, s.height)) found.add(`${name(a.el)}: "${a.word}" lies on "${b.word}" of ${name(b.el)}`);
    }
  }
  return [...found];
}

/** What is wrong with the text on the page, in its own letters or in wide ones. */
export async function illegible(page, wide = false) {
  await setWide(page, wide);
  const found = await page.evaluate(findTroubles);
  await setWide(page, false);
  return found;
}
