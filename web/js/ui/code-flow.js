// Proving an address by a code that is mailed to it: the address first, then the code with a password. Registering and a
// forgotten password are the same two steps.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { post } from '../lib/api.js';
import { found, need, needEmail, needPassword, useForm } from '../lib/form.js';
import { useAction } from '../lib/resource.js';
import { login } from '../lib/session.js';
import { toast } from '../lib/toast.js';
import { FormError, PasswordField, Submit, TextField } from './field.js';
import { Icon } from './icon.js';

const PAUSE_S = 60; // between two codes to one address, as the server has it

const needCode = (text) => need(text, 'the code') ?? (/^\d{6}$/.test(text.trim()) ? undefined : 'The code has six digits.');

/** Seconds until `at` (ms), counted down; 0 once it is over. */
function useSecondsTo(at) {
  const left = () => Math.max(0, Math.ceil((at - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    const timer = setInterval(() => setSeconds(left()), 1000);
    return () => clearInterval(timer);
  }, [at]);
  return seconds;
}

/** The first step. onSent({ email, outbox }) once a code is asked for; onHave(email) for who has one already. */
function AskStep({ path, email, verb, back, onSent, onHave }) {
  const root = useRef(null);
  useEffect(() => { if (back) root.current.querySelector('input').focus(); }, []);
  const form = useForm({
    initial: { email },
    check: (v) => found({ email: needEmail(v.email) }),
    send: async (v) => onSent({ email: v.email.trim(), ...await post(path, { email: v.email.trim() }) }),
  });
  return html`<form class="form" novalidate ref=${root} onSubmit=${form.submit}>
    <${FormError} error=${form.general} />
    <${TextField} label="E-mail" type="email" autocomplete="username" inputmode="email" autofocus ...${form.bind('email')} />
    <${Submit} busy=${form.busy} class="button--wide">${verb}<//>
    <button type="button" class="auth__step" onClick=${() => onHave(form.values.email.trim())}>I have a code already</button>
  </form>`;
}

function Resend({ path, email, sentAt, onSent }) {
  const left = useSecondsTo(sentAt + PAUSE_S * 1000);
  const [busy, send] = useAction(async () => {
    try {
      onSent({ email, ...await post(path, { email }) });
      toast.ok('A new code is on its way. The one before is over.');
    } catch (err) { toast.error(err); }
  });
  if (left) return html`<p class="auth__step-wait">No mail? You can ask for a new code in ${left} s.</p>`;
  return html`<button type="button" class="auth__step" aria-disabled=${busy ? 'true' : undefined} onClick=${send}>Send a new code</button>`;
}

/** The second step. sent: what the first came to, or null where the code was there before. */
function UseStep({ paths, email, sent, begun, verb, onSent, onBack, onDone }) {
  const root = useRef(null);
  useEffect(() => root.current.querySelector(email ? 'input[name="otp"]' : 'input[name="email"]').focus(), []);
  const form = useForm({
    initial: { email, otp: '', password: begun?.password ?? '' },
    check: (v) => found({ email: needEmail(v.email), otp: needCode(v.otp), password: needPassword(v.password) }),
    send: async ({ email: raw, otp, password }) => {
      const to = raw.trim();
      await post(paths.use, { email: to, otp: otp.trim(), password, password_confirm: password, name: begun?.name }, { quiet401: true });
      await onDone(await login(to, password));
    },
  });
  return html`<form class="form" novalidate ref=${root} onSubmit=${form.submit}>
    <div class="auth__sent" role="status">${sent ? html`<p><${Icon} name="send" /><span>If <strong>${email}</strong> can be used, a mail with six digits is on its way. They are good for ten minutes.</span></p>
      ${sent.outbox ? html`<p><${Icon} name="info" /><span>This installation sends no mail yet: an administrator finds it in the <a href="/ops/outbox">outbox</a>.</span></p>` : null}` : null}</div>
    <${FormError} error=${form.general} />
    ${sent ? null : html`<${TextField} label="E-mail" type="email" autocomplete="username" inputmode="email" ...${form.bind('email')} />`}
    <${TextField} label="Code" class="auth__code" inputmode="numeric" autocomplete="one-time-code" maxlength="6" spellcheck="false" ...${form.bind('otp')} />
    <${PasswordField} label="New password" autocomplete="new-password" hint="At least 8 characters. A short sentence is good." ...${form.bind('password')} />
    <${Submit} busy=${form.busy} class="button--wide">${verb}<//>
    <div class="auth__steps">
      ${sent ? html`<${Resend} path=${paths.ask} email=${email} sentAt=${sent.at} onSent=${onSent} />` : null}
      <button type="button" class="auth__step" onClick=${onBack}>${sent ? 'Use another address' : 'Ask for a code'}</button>
    </div>
  </form>`;
}

/**
 * paths: { ask, use }; verbs: the same. onDone(user) once the password is set and the user signed in. begun: { email, outbox, password,
 * name } where the code is on its way already.
 */
export function CodeFlow({ paths, verbs, onDone, begun }) {
  const [email, setEmail] = useState(begun?.email ?? '');
  const [step, setStep] = useState(begun ? 'use' : 'ask'); // then 'use', or 'back' to the first
  const [sent, setSent] = useState(begun ? { outbox: begun.outbox, at: Date.now() } : null);
  const onSent = (answer) => {
    setEmail(answer.email);
    setSent({ outbox: answer.outbox, at: Date.now() });
    setStep('use');
  };
  const onHave = (typed) => { setEmail(typed); setSent(null); setStep('use'); };
  return step !== 'use'
    ? html`<${AskStep} path=${paths.ask} email=${email} verb=${verbs.ask} back=${step === 'back'} onSent=${onSent} onHave=${onHave} />`
    : html`<${UseStep} paths=${paths} email=${email} sent=${sent} begun=${begun} verb=${verbs.use} onSent=${onSent} onBack=${() => setStep('back')} onDone=${onDone} />`;
}
