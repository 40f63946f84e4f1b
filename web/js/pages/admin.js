// For administrators: the platform's people, their role, and whether they may come in.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, get, put } from '../lib/api.js';
import { count, dayOfYear, plural } from '../lib/format.js';
import { useAction, useResource, useSettled } from '../lib/resource.js';
import { useQuery } from '../lib/router.js';
import { useSession } from '../lib/session.js';
import { toast } from '../lib/toast.js';
import { Button } from '../ui/button.js';
import { Avatar } from '../ui/cover.js';
import { Confirm } from '../ui/dialog.js';
import { SearchField } from '../ui/field.js';
import { Icon } from '../ui/icon.js';
import { Pager } from '../ui/pager.js';
import { Empty, Loaded, Skeleton } from '../ui/states.js';

const PER_PAGE = 20;

function Row({ user, self, onChange }) {
  const [asking, setAsking] = useState(false);
  const [refusals, setRefusals] = useState(0); // a refused choice is drawn anew as it was
  const [busy, change] = useAction(async (parts, said) => {
    try {
      await put(`/api/platform/admin/users/${user.id}`, parts);
      onChange({ ...user, ...parts });
      toast.ok(said);
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      toast.error(err);
      setRefusals((n) => n + 1);
    }
    setAsking(false);
  });
  const lock = () => change({ is_active: !user.is_active }, user.is_active ? `${user.name} is locked out.` : `${user.name} may come in again.`);
  const setRole = (role) => change({ role }, `${user.name} is now ${role === 'admin' ? 'an administrator' : 'a user'}.`);
  return html`<tr class=${user.is_active ? '' : 'is-off'}>
    <th scope="row"><span class="person"><${Avatar} name=${user.name} /><span><strong>${user.name}</strong><span class="person__mail">${user.email}</span></span></span></th>
    <td data-label="Since">${user.created_at ? dayOfYear(user.created_at) : ''}</td>
    <td data-label="Subscriptions">${count(user.active_subscriptions)}</td>
    <td data-label="Role"><div class="select select--small"><select class="input" key=${refusals} aria-label=${`Role of ${user.name}`} disabled=${self || busy}
      value=${user.role} onChange=${(e) => setRole(e.currentTarget.value)}>
      <option value="user" selected=${user.role === 'user'}>User</option><option value="admin" selected=${user.role === 'admin'}>Administrator</option></select><${Icon} name="chevron-down" /></div></td>
    <td data-label="Access">
      <${Button} small kind=${user.is_active && 'quiet'} busy=${busy} disabled=${self} onClick=${() => (user.is_active ? setAsking(true) : lock())}>
        ${user.is_active ? 'Lock' : 'Unlock'}<span class="visually-hidden"> ${user.name}</span><//>
      ${asking ? html`<${Confirm} title=${`Lock ${user.name} out?`} yes="Lock the account" no="Leave it open" danger busy=${busy}
        onYes=${lock} onClose=${() => setAsking(false)}><p>Their sessions end at once. You can unlock the account later.</p><//>` : null}</td>
  </tr>`;
}

export default function Admin() {
  const { user: me } = useSession();
  const [params, change] = useQuery();
  const [text, setText] = useState(params.q ?? '');
  const settled = useSettled(text.trim(), 280);
  const page = Number(params.page) || 1;
  useEffect(() => { if (settled !== (params.q ?? '')) change({ q: settled || null, page: null }, { replace: true }); }, [settled]);
  useEffect(() => { if ((params.q ?? '') !== settled) setText(params.q ?? ''); }, [params.q]);
  const list = useResource((signal) => get('/api/platform/admin/users', { q: params.q, page, per_page: PER_PAGE }, { signal }), [params.q, page]);
  const onChange = (user) => list.setData((d) => ({ ...d, users: d.users.map((u) => (u.id === user.id ? user : u)) }));
  const href = (n) => `/admin?${new URLSearchParams({ ...(params.q && { q: params.q }), page: n })}`;
  return html`<div class="wrap page admin">
    <header class="page-head"><h1>Users</h1><p>Everyone with an account on this platform.</p></header>
    <${SearchField} label="Search users by name or e-mail" placeholder="Name or e-mail" value=${text} onValue=${setText} />
    <${Loaded} resource=${list} skeleton=${html`<${Skeleton} shape="row" count=${6} />`} title="The users did not load">
      ${(data) => (data.users.length ? html`
        <p class="admin__count" role="status">${plural(data.total, 'user')}</p>
        <div class="table-card"><table class="table table--stack"><caption class="visually-hidden">Users</caption>
          <thead><tr><th scope="col">Person</th><th scope="col">Since</th><th scope="col">Subscriptions</th><th scope="col">Role</th><th scope="col">Access</th></tr></thead>
          <tbody>${data.users.map((u) => html`<${Row} key=${u.id} user=${u} self=${u.id === me.id} onChange=${onChange} />`)}</tbody>
        </table></div>
        <${Pager} page=${page} pages=${data.pages} href=${href} label="Pages of users" />`
        : html`<${Empty} icon="users" title="Nobody by that name"><p>Search looks at names and e-mail addresses.</p><//>`)}
    <//>
  </div>`;
}
