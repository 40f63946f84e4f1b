// Client-side addresses: real paths, ordinary links. A click on a link of this site changes the view without
// loading a page anew; every address also works when it is loaded anew, since the build makes a page for each.
import { normal, pageAddress } from './address.js';
import { createStore, useStore } from './store.js';

const here = () => ({ path: normal(location.pathname), search: location.search, hash: location.hash });

const place = createStore(here());
export const useLocation = () => useStore(place);
export const currentAddress = () => location.pathname + location.search;

const scrolls = new Map(); // history entry → how far down it was

/** Goes to an address of this app. replace: without a history entry. keepScroll: stays where the reader is. */
export function navigate(to, { replace = false, keepScroll = false } = {}) {
  const url = new URL(to, location.href);
  if (url.origin !== location.origin) throw new Error('navigate() is for addresses of this site');
  rememberScroll();
  restoring++;
  const state = replace ? { ...history.state } : { id: crypto.randomUUID() };
  history[replace ? 'replaceState' : 'pushState'](state, '', url);
  place.set(here());
  if (!keepScroll && !url.hash) scrollTo(0, 0);
}

/** [params, change]: the query of the address as an object, and a way to change parts of it (null takes one out). */
export function useQuery() {
  const { search } = useLocation();
  const params = Object.fromEntries(new URLSearchParams(search));
  const change = (parts, opts) => {
    const next = new URLSearchParams(location.search);
    for (const [k, v] of Object.entries(parts)) {
      if (v === null || v === undefined || v === '') next.delete(k); else next.set(k, v);
    }
    const url = new URL(location.href); // not of its path alone, which may begin with "//"
    url.search = next.toString();
    url.hash = '';
    navigate(url, { keepScroll: true, ...opts });
  };
  return [params, change];
}

let isReturn = () => false;
/** The page to return to after signing in that an address names; anything else becomes `fallback`. */
export const safeReturn = (text, fallback = '/dashboard') => pageAddress(text, location.origin, isReturn) ?? fallback;

function rememberScroll() {
  if (history.state?.id) scrolls.set(history.state.id, scrollY);
}

const ACTS = ['wheel', 'touchstart', 'pointerdown', 'keydown'];
let restoring = 0; // counts, so that a later one ends the one before

/** Whether the page of this place stands: the one before is gone, and nothing in it is still coming. */
const settled = () => !document.querySelector('main[aria-busy="true"], main .skeletons, main [aria-busy="true"]');

/** The content of a place comes later than the place: goes there in every frame until the page has settled and is tall
 *  enough. Ends as well when the reader acts, and after half a minute. */
function restoreScroll() {
  const y = scrolls.get(history.state?.id) ?? 0;
  const turn = ++restoring;
  const giveUp = performance.now() + 30_000;
  let there = 0; // frames in a row; effects that begin to load run after a page's first
  const stop = () => { if (turn === restoring) restoring++; };
  const step = () => {
    if (turn === restoring && performance.now() < giveUp && there < 3) {
      scrollTo(0, y);
      there = Math.abs(scrollY - y) <= 2 && settled() ? there + 1 : 0;
      requestAnimationFrame(step);
    } else ACTS.forEach((a) => removeEventListener(a, stop));
  };
  ACTS.forEach((a) => addEventListener(a, stop, { passive: true }));
  requestAnimationFrame(step);
}

function onClick(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.('a[href]');
  if (!link || link.target || link.hasAttribute('download') || link.dataset.native !== undefined) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || /\.\w+$/.test(url.pathname) || /^\/(api|auth|metrics|health)(\/|$)/.test(url.pathname)) return;
  if (url.hash && normal(url.pathname) === normal(location.pathname) && url.search === location.search) return; // the browser's own jump
  event.preventDefault();
  navigate(url.href);
}

/** returnsTo(path): whether one may be sent there after signing in. */
export function startRouter(returnsTo) {
  isReturn = returnsTo;
  history.scrollRestoration = 'manual';
  if (!history.state?.id) history.replaceState({ id: crypto.randomUUID() }, '');
  document.addEventListener('click', onClick);
  addEventListener('popstate', () => { place.set(here()); restoreScroll(); });
  addEventListener('pagehide', rememberScroll);
  document.addEventListener('scroll', rememberScroll, { passive: true });
}
