// The app's start: who is here, where they are, and the frame with the page in it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html, render } from './lib/html.js';
import { navigate, startRouter, useLocation } from './lib/router.js';
import { askWho, loginAddress, startSession, useSession } from './lib/session.js';
import { isReturn, routeOf } from './routes.js';
import { Footer, Header, TabBar } from './ui/frame.js';
import { Empty, Skeleton, Trouble } from './ui/states.js';
import { Toasts } from './ui/toasts.js';

/** A route's page component, kept from the page before until it is there. */
function usePage(route) {
  const [state, setState] = useState({ route: null, Page: null, error: null });
  useEffect(() => {
    let current = true;
    route.load().then(
      (module) => { if (current) setState({ route, Page: module.default, error: null }); },
      (error) => { if (current) setState({ route, Page: null, error }); },
    );
    return () => { current = false; };
  }, [route]);
  return state;
}

/** left: the reader has gone on to another place, whose page is still coming. */
function Guarded({ route, Page, left }) {
  const session = useSession();
  const barred = route.who && session.status === 'guest' && !left;
  useEffect(() => { if (barred) navigate(loginAddress(), { replace: true }); }, [barred]);
  if (route.who && session.error) return html`<div class="wrap page"><${Trouble} title="We could not find out who you are" error=${session.error} onRetry=${() => askWho()} /></div>`;
  if (route.who && session.status !== 'user') return html`<div class="wrap page"><${Skeleton} shape="block" /></div>`;
  if (route.who === 'admin' && session.user.role !== 'admin') {
    return html`<div class="wrap page"><${Empty} icon="shield" level=${1} title="For administrators"><p>Your account has no access to this page.</p>
      <a class="button" href="/dashboard">Go to your dashboard</a><//></div>`;
  }
  return html`<${Page} />`;
}

function App() {
  const { path } = useLocation();
  const session = useSession();
  const route = routeOf(path);
  const { route: shown, Page, error } = usePage(route);
  const main = useRef(null);
  const first = useRef(true);

  useEffect(() => {
    if (!shown) return;
    document.title = shown.title;
    if (first.current) first.current = false; else main.current.focus({ preventScroll: true });
  }, [shown]);

  const plain = shown?.frame === 'plain';
  return html`
    <${Header} />
    <main id="main" ref=${main} tabindex="-1" aria-busy=${shown === route || error ? undefined : 'true'} class=${plain ? 'main main--plain' : 'main'}>
      ${error ? html`<div class="wrap page"><${Trouble} title="This page did not load" error=${error} onRetry=${() => location.reload()} /></div>` : null}
      ${Page && !error ? html`<${Guarded} key=${shown.path} route=${shown} Page=${Page} left=${shown !== route} />` : null}
      ${!Page && !error ? html`<div class="wrap page"><${Skeleton} shape="block" /></div>` : null}
    </main>
    ${plain ? null : html`<${Footer} guest=${session.status !== 'user'} />`}
    <${TabBar} />
    <p class="visually-hidden" aria-live="polite">${shown && !first.current ? shown.title : ''}</p>
    <${Toasts} />`;
}

startRouter(isReturn);
startSession();
render(html`<${App} />`, document.getElementById('app'));
