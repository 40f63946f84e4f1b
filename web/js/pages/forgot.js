// A new password for whom the old one is gone, by a code that is mailed.
import { html } from '../lib/html.js';
import { navigate, safeReturn, useQuery } from '../lib/router.js';
import { toast } from '../lib/toast.js';
import { AuthFrame } from '../ui/auth-frame.js';
import { CodeFlow } from '../ui/code-flow.js';

export default function Forgot() {
  const [{ next }] = useQuery();
  const onDone = () => {
    toast.ok('Your password is set. Every other device is signed out.');
    navigate(safeReturn(next), { replace: true });
  };
  return html`<${AuthFrame} title="Forgot your password?" lead="It happens. We mail you a code, and you choose a new one.">
    <${CodeFlow} paths=${{ ask: '/auth/forgot-password', use: '/auth/reset-password' }} verbs=${{ ask: 'Mail me a code', use: 'Set the password' }} onDone=${onDone} />
    <p class="auth__other">Remembered it? <a href=${next ? `/login?next=${encodeURIComponent(next)}` : '/login'}>Sign in</a></p>
  <//>`;
}
