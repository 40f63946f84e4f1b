// Sign in.
import { useEffect } from 'preact/hooks';
import { html } from '../lib/html.js';
import { found, need, needEmail, useForm } from '../lib/form.js';
import { navigate, safeReturn, useQuery } from '../lib/router.js';
import { login, useSession } from '../lib/session.js';
import { FormError, PasswordField, Submit, TextField } from '../ui/field.js';
import { AuthFrame } from '../ui/auth-frame.js';

export default function Login() {
  const [{ next }] = useQuery();
  const session = useSession();
  const to = safeReturn(next);
  useEffect(() => { if (session.status === 'user') navigate(to, { replace: true }); }, [session.status]);

  const form = useForm({
    initial: { email: '', password: '' },
    check: (v) => found({ email: needEmail(v.email), password: need(v.password, 'your password') }),
    send: (v) => login(v.email.trim(), v.password),
  });
  const join = next ? `/register?next=${encodeURIComponent(next)}` : '/register';
  return html`<${AuthFrame} title="Welcome back" lead=${next ? 'Sign in, and we take you right back.' : 'Sign in to your workshop.'}>
    <form class="form" novalidate onSubmit=${form.submit}>
      <${FormError} error=${form.general} />
      <${TextField} label="E-mail" type="email" autocomplete="username" inputmode="email" autofocus ...${form.bind('email')} />
      <${PasswordField} label="Password" autocomplete="current-password" ...${form.bind('password')} />
      <${Submit} busy=${form.busy} class="button--wide">Sign in<//>
    </form>
    <p class="auth__other"><a href=${next ? `/forgot?next=${encodeURIComponent(next)}` : '/forgot'}>Forgot your password?</a></p>
    <p class="auth__other">New here? <a href=${join}>Create an account</a></p>
  <//>`;
}
