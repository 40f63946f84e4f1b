// The code that confirms an account's address: typed, or mailed again. Nothing is shown once it is confirmed.
import { html } from '../lib/html.js';
import { post } from '../lib/api.js';
import { found, need, useForm } from '../lib/form.js';
import { useAction } from '../lib/resource.js';
import { confirmEmail } from '../lib/session.js';
import { toast } from '../lib/toast.js';
import { FormError, Submit, TextField } from './field.js';

const needCode = (text) => need(text, 'the code') ?? (/^[0-9a-z]{4}[ -]?[0-9a-z]{4}$/i.test(text.trim()) ? undefined : 'The code has eight letters and digits.');

export function ConfirmCard({ user }) {
  const form = useForm({
    initial: { code: '' },
    check: (v) => found({ code: needCode(v.code) }),
    send: async (v) => { await confirmEmail(v.code.trim()); toast.ok('Your address is confirmed.'); },
  });
  const [busy, again] = useAction(async () => {
    try {
      const { outbox } = await post('/api/auth/confirm/mail');
      toast.ok(outbox ? 'This installation sends no mail yet: an administrator finds the code in the outbox.' : 'A mail with a code is on its way; at most one a minute.');
    } catch (err) { toast.error(err); }
  });
  if (user.email_confirmed) return null;
  return html`<section class="card" aria-labelledby="confirm"><h2 id="confirm">Confirm your mail</h2>
    <p class="card__lead">We have mailed a code to ${user.email}. Until you type it here, mails to others leave your name out.</p>
    <form class="form" novalidate onSubmit=${form.submit}>
      <${FormError} error=${form.general} />
      <${TextField} label="Code" class="auth__code" autocomplete="one-time-code" autocapitalize="characters" maxlength="9" spellcheck="false" ...${form.bind('code')} />
      <${Submit} busy=${form.busy}>Confirm<//>
      <button type="button" class="auth__step" aria-disabled=${busy ? 'true' : undefined} onClick=${again}>Mail me a new code</button>
    </form>
  </section>`;
}
