// Create an account; it is signed in at once, or, where the installation wants the address proven first, after a code.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { found, need, needEmail, needPassword, useForm } from '../lib/form.js';
import { navigate, safeReturn, useQuery } from '../lib/router.js';
import { register, useSession } from '../lib/session.js';
import { toast } from '../lib/toast.js';
import { FormError, PasswordField, Submit, TextField } from '../ui/field.js';
import { AuthFrame } from '../ui/auth-frame.js';
import { CodeFlow } from '../ui/code-flow.js';

export default function Register() {
  const [{ next }] = useQuery();
  const session = useSession();
  const to = safeReturn(next);
  useEffect(() => { if (session.status === 'user') navigate(to, { replace: true }); }, [session.status]);

  const [begun, setBegun] = useState(null); // what was typed, once a code is on its way
  const form = useForm({
    initial: { name: '', email: '', password: '' },
    check: (v) => found({ name: need(v.name, 'your name'), email: needEmail(v.email), password: needPassword(v.password) }),
    send: async (v) => {
      const typed = { name: v.name.trim(), email: v.email.trim(), password: v.password };
      const { user, sent } = await register(typed);
      if (sent) setBegun({ ...typed, outbox: sent.outbox });
      else toast.ok(`Welcome, ${user.name}. We have mailed you a code: confirm your address in your account.`);
    },
  });
  if (begun) return html`<${AuthFrame} title="Create your account" lead="One more step: the code that we mailed to you.">
    <${CodeFlow} begun=${begun} paths=${{ ask: '/auth/register', use: '/auth/verify-otp' }} verbs=${{ ask: 'Mail me a code', use: 'Create account' }}
      onDone=${(user) => toast.ok(`Welcome, ${user.name}.`)} />
  <//>`;
  const login = next ? `/login?next=${encodeURIComponent(next)}` : '/login';
  return html`<${AuthFrame} title="Create your account" lead="One account opens every module.">
    <form class="form" novalidate onSubmit=${form.submit}>
      <${FormError} error=${form.general} />
      <${TextField} label="Name" autocomplete="name" autofocus ...${form.bind('name')} />
      <${TextField} label="E-mail" type="email" autocomplete="username" inputmode="email" ...${form.bind('email')} />
      <${PasswordField} label="Password" autocomplete="new-password" hint="At least 8 characters. A short sentence is good." ...${form.bind('password')} />
      <${Submit} busy=${form.busy} class="button--wide">Create account<//>
    </form>
    <p class="auth__other">Confirm your e-mail first? <a href=${next ? `/join?next=${encodeURIComponent(next)}` : '/join'}>Join with a code</a></p>
    <p class="auth__other">Already have one? <a href=${login}>Sign in</a></p>
  <//>`;
}
