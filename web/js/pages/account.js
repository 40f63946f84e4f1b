// The caller's own name, password and connections.
import { html } from '../lib/html.js';
import { found, need, needPassword, useForm } from '../lib/form.js';
import { dayOfYear } from '../lib/format.js';
import { changePassword, logout, saveProfile, useSession } from '../lib/session.js';
import { toast } from '../lib/toast.js';
import { browserZone, zoneNote } from '../lib/zone.js';
import { Avatar } from '../ui/cover.js';
import { FormError, PasswordField, Select, Submit, TextField, ZoneField } from '../ui/field.js';
import { ConfirmCard } from '../ui/confirm-card.js';
import { Icon } from '../ui/icon.js';
import { SessionsCard } from '../ui/sessions-card.js';
import { TelegramCard } from '../ui/telegram-card.js';

function NameForm({ user }) {
  const form = useForm({
    initial: { name: user.name },
    check: (v) => found({ name: need(v.name, 'your name') }),
    send: async (v) => { await saveProfile({ name: v.name.trim() }); toast.ok('Your name is saved.'); },
  });
  return html`<form class="form" novalidate onSubmit=${form.submit}>
    <${FormError} error=${form.general} />
    <${TextField} label="Name" autocomplete="name" ...${form.bind('name')} />
    <${Submit} busy=${form.busy}>Save the name<//>
  </form>`;
}

const LANGUAGES = [['ko', '한국어'], ['en', 'English']];

function ClockForm({ user }) {
  const form = useForm({
    initial: { time_zone: user.time_zone, language: user.language ?? '' },
    check: (v) => found({ time_zone: need(v.time_zone, 'a time zone, such as Asia/Seoul') }),
    send: async (v) => {
      await saveProfile({ time_zone: v.time_zone.trim(), ...(v.language && { language: v.language }) });
      toast.ok('Your time zone and language are saved.');
    },
  });
  return html`<form class="form" novalidate onSubmit=${form.submit}>
    <${FormError} error=${form.general} />
    <${ZoneField} label="Time zone" hint=${zoneNote(user.time_zone) ? `The clock of this device is on ${browserZone()}.` : undefined} ...${form.bind('time_zone')} />
    <${Select} label="Language" options=${user.language ? LANGUAGES : [['', 'Not chosen'], ...LANGUAGES]} ...${form.bind('language')} />
    <${Submit} busy=${form.busy}>Save time zone and language<//>
  </form>`;
}

function PasswordForm() {
  const empty = { current_password: '', password: '', repeat: '' };
  const form = useForm({
    initial: empty,
    check: (v) => found({
      current_password: need(v.current_password, 'your present password'),
      password: needPassword(v.password),
      repeat: v.repeat === v.password ? undefined : 'The two do not match.',
    }),
    send: async ({ current_password, password }) => {
      await changePassword(current_password, password);
      form.setValues(empty);
      toast.ok('Your password is changed.');
    },
  });
  return html`<form class="form" novalidate onSubmit=${form.submit}>
    <${FormError} error=${form.general} />
    <${PasswordField} label="Present password" autocomplete="current-password" ...${form.bind('current_password')} />
    <${PasswordField} label="New password" autocomplete="new-password" hint="At least 8 characters." ...${form.bind('password')} />
    <${PasswordField} label="New password again" autocomplete="new-password" ...${form.bind('repeat')} />
    <${Submit} busy=${form.busy}>Change the password<//>
  </form>`;
}

export default function Account() {
  const { user } = useSession();
  return html`<div class="wrap wrap--narrow page">
    <header class="page-head page-head--person"><${Avatar} name=${user.name} class="avatar--large" />
      <div><h1>${user.name}</h1><p>${user.email}${user.created_at ? `, here since ${dayOfYear(user.created_at)}` : ''}</p></div></header>
    <div class="cards">
      <${ConfirmCard} user=${user} />
      <section class="card" aria-labelledby="name"><h2 id="name">Name</h2><p class="card__lead">Chefs see it with your bookings.</p><${NameForm} user=${user} /></section>
      <section class="card" aria-labelledby="clock"><h2 id="clock">Time and language</h2>
        <p class="card__lead">Times are shown and told by these clocks.</p><${ClockForm} user=${user} /></section>
      <section class="card" aria-labelledby="password"><h2 id="password">Password</h2>
        <p class="card__lead">Other devices are signed out when it changes.</p><${PasswordForm} /></section>
      <${TelegramCard} />
      <${SessionsCard} />
      <section class="card card--flat" aria-labelledby="leave"><h2 id="leave">Sign out</h2><p class="card__lead">Of this browser.</p>
        <button type="button" class="button" onClick=${logout}><${Icon} name="logout" /><span>Sign out</span></button></section>
    </div>
  </div>`;
}
