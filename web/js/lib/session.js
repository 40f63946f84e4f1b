// Who is signed in. The cookie that proves it cannot be read by scripts; its companion sf_csrf tells that one is there.
import { createStore, useStore } from './store.js';
import { get, hasSession, post, put, setSignedOutHandler } from './api.js';
import { currentAddress, navigate } from './router.js';
import { toast } from './toast.js';

// status: 'unknown' (asking the server), 'guest', 'user'
const store = createStore({ status: 'unknown', user: null });
export const useSession = () => useStore(store);

const settle = (user) => store.set(user ? { status: 'user', user } : { status: 'guest', user: null });
export const loginAddress = (next = currentAddress()) => `/login?next=${encodeURIComponent(next)}`;

export async function startSession() {
  setSignedOutHandler(() => {
    const was = store.get().status;
    settle(null);
    if (was === 'user') toast.info('Your session has ended. Please sign in again.');
  });
  if (!hasSession()) return settle(null);
  try {
    settle(await get('/api/auth/me', null, { quiet401: true }));
  } catch {
    settle(null); // a page that needs the session asks again by itself and shows the trouble
  }
}

export async function login(email, password) {
  const { user } = await post('/auth/login', { email, password }, { quiet401: true });
  settle(user);
  return user;
}

export async function register({ email, password, name }) {
  await post('/api/auth/register', { email, password, name }, { quiet401: true });
  return login(email, password);
}

export async function logout() {
  try { await post('/auth/logout', undefined, { quiet401: true }); } finally {
    settle(null);
    navigate('/');
  }
}

export async function rename(name) {
  await put('/api/auth/me', { name });
  settle(await get('/api/auth/me'));
}

/** Changes the password. That ends every session, this one too, so it signs in again at once. */
export async function changePassword(current_password, password) {
  const { email } = store.get().user;
  await put('/api/auth/me', { current_password, password });
  await login(email, password);
}
