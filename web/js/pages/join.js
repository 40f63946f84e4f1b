// Create an account by proving the address first; the name is chosen later.
import { html } from '../lib/html.js';
import { navigate, safeReturn, useQuery } from '../lib/router.js';
import { toast } from '../lib/toast.js';
import { AuthFrame } from '../ui/auth-frame.js';
import { CodeFlow } from '../ui/code-flow.js';

export default function Join() {
  const [{ next }] = useQuery();
  const onDone = (user) => {
    toast.ok(`Welcome, ${user.name}. You can change your name in your account.`);
    navigate(safeReturn(next), { replace: true });
  };
  const query = next ? `?next=${encodeURIComponent(next)}` : '';
  return html`<${AuthFrame} title="Join with a code" lead="We mail you six digits, and your address is confirmed.">
    <${CodeFlow} paths=${{ ask: '/auth/register', use: '/auth/verify-otp' }} verbs=${{ ask: 'Mail me a code', use: 'Create account' }} onDone=${onDone} />
    <p class="auth__other">Without a code? <a href=${`/register${query}`}>Create an account</a>, or <a href=${`/login${query}`}>sign in</a>.</p>
  <//>`;
}
