// The frame around every page: header, tabs at the foot of a phone's screen, footer.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { useLocation } from '../lib/router.js';
import { logout, loginAddress, useSession } from '../lib/session.js';
import { toggleTheme, useTheme } from '../lib/theme.js';
import { Button } from './button.js';
import { Avatar } from './cover.js';
import { Icon } from './icon.js';

const NAV = [
  { path: '/', text: 'Home', icon: 'home', who: 'guest', tab: true },
  { path: '/chefs', text: 'Find a chef', icon: 'search', also: ['/chef'] },
  { path: '/dashboard', text: 'Dashboard', icon: 'grid', who: 'user' },
  { path: '/bookings', text: 'My bookings', short: 'Bookings', icon: 'calendar', who: 'user' },
  { path: '/chef-desk', text: "Chef's desk", short: 'Desk', icon: 'chef', who: 'user' },
  { path: '/admin', text: 'Users', icon: 'users', who: 'admin' },
  { path: '/docs', text: 'API', icon: 'book', who: 'guest' },
];

export const Brand = () => html`<a class="brand" href="/" aria-label="SoftFactory, home"><${Icon} name="mark" class="brand__mark" /><span class="brand__name">SoftFactory</span></a>`;

function shownTo({ status, user }) {
  return NAV.filter((n) => !n.who || (n.who === 'guest' ? status !== 'user' : status === 'user' && (n.who !== 'admin' || user.role === 'admin')));
}
const isHere = (entry, path) => path === entry.path || entry.also?.includes(path);

function ThemeButton() {
  const dark = useTheme() === 'dark';
  return html`<button type="button" class="icon-button" aria-label=${dark ? 'Use the light theme' : 'Use the dark theme'} onClick=${toggleTheme}>
    <${Icon} name=${dark ? 'sun' : 'moon'} /></button>`;
}

function UserMenu({ user }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  const { path } = useLocation();
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    if (!open) return undefined;
    const away = (e) => { if (!root.current.contains(e.target)) setOpen(false); };
    document.addEventListener('pointerdown', away);
    return () => document.removeEventListener('pointerdown', away);
  }, [open]);
  const onKey = (e) => {
    if (e.key !== 'Escape' || !open) return;
    setOpen(false);
    root.current.querySelector('button').focus();
  };
  const onBlur = (e) => { if (e.relatedTarget && !root.current.contains(e.relatedTarget)) setOpen(false); };
  return html`<div class="menu" ref=${root} onKeyDown=${onKey} onFocusout=${onBlur}>
    <button type="button" class="menu__button" aria-expanded=${open ? 'true' : 'false'} aria-controls="user-menu"
      aria-label=${`Account of ${user.name}`} onClick=${() => setOpen(!open)}>
      <${Avatar} name=${user.name} /><${Icon} name="chevron-down" />
    </button>
    ${open ? html`<div class="menu__panel" id="user-menu">
      <p class="menu__who"><strong>${user.name}</strong><span>${user.email}</span></p>
      <ul>
        <li><a href="/account"><${Icon} name="settings" />Account</a></li>
        ${user.role === 'admin' ? html`<li><a href="/ops"><${Icon} name="gauge" />Operations</a></li>` : null}
        <li><a href="/docs"><${Icon} name="book" />API</a></li>
        <li><button type="button" onClick=${logout}><${Icon} name="logout" />Sign out</button></li>
      </ul>
    </div>` : null}
  </div>`;
}

export function Header() {
  const session = useSession();
  const { path } = useLocation();
  const next = path === '/' || path === '/login' || path === '/register' ? '/login' : loginAddress();
  return html`<header class="header"><div class="header__row wrap">
    <${Brand} />
    <nav class="header__nav" aria-label="Main">
      ${shownTo(session).filter((n) => !n.tab).map((n) => html`<a key=${n.path} href=${n.path} class="header__link" aria-current=${isHere(n, path) ? 'page' : undefined}>${n.text}</a>`)}
    </nav>
    <div class="header__end">
      <${ThemeButton} />
      ${session.status === 'user' ? html`<${UserMenu} user=${session.user} />` : null}
      ${session.status === 'guest' ? html`<${Button} kind="quiet" class="header__login" href=${next}>Sign in<//><${Button} kind="primary" href="/register">Join<//>` : null}
    </div>
  </div></header>`;
}

/** The main places within a thumb's reach; on phones only. `tab` marks a place that stands here alone. */
export function TabBar() {
  const session = useSession();
  const { path } = useLocation();
  const entries = shownTo(session).slice(0, 5);
  return html`<nav class="tabbar" aria-label="Places">
    ${entries.map((n) => html`<a key=${n.path} class="tabbar__link" href=${n.path} aria-current=${isHere(n, path) ? 'page' : undefined}>
      <${Icon} name=${n.icon} /><span>${n.short ?? n.text}</span></a>`)}
  </nav>`;
}

export const Footer = ({ guest }) => html`<footer class="footer"><div class="wrap footer__row">
  <div><${Brand} /><p class="footer__line">One platform for the whole of a small business.</p></div>
  <nav aria-label="Footer"><ul class="footer__links">
    <li><a href="/chefs">Find a chef</a></li><li><a href="/chef-desk">Cook with us</a></li><li><a href="/docs">API</a></li>
    ${guest ? html`<li><a href="/register">Create an account</a></li>` : null}
  </ul></nav>
</div></footer>`;
