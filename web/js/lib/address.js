// Addresses of this site as text: what names a page, and what only looks like it. Nothing here touches the browser.

/** A path without what different links write differently: "/chefs/", "/chefs.html" and "/chefs" are one page. */
export const normal = (path) => path.replace(/(\/index)?\.html$/, '').replace(/(.)\/+$/, '$1') || '/';

/**
 * The address of a page of this app that `text`, which anybody may have written, names: path, query and fragment; or null. What counts
 * is what a browser makes of it: "/.//x", "/\x" and "/%2e//x" are paths or hosts called x. isPage(path) tells which paths are pages.
 */
export function pageAddress(text, origin, isPage) {
  if (!text?.startsWith('/')) return null;
  let url;
  try { url = new URL(text, origin); } catch { return null; }
  if (url.origin !== origin || url.pathname.startsWith('//') || !isPage(normal(url.pathname))) return null;
  return url.pathname + url.search + url.hash;
}
