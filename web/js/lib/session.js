// Who is signed in. The cookie that proves it cannot be read by scripts, so the server is asked; what is shown is what it said last.
import { createStore, useStore } from './store.js';
import { ApiError, companion, post, put, setSignedOutHandler, whoAmI } from './api.js';
import { currentAddress, navigate } from './router.js';
import { toast } from './toast.js';
import { setReaderZone } from './zone.js';

const ASK_AGAIN_MS = 2000;
const ASK_AGAIN_MAX_MS = 30_000;

// status: 'unknown' (the server has not said yet; error: why, when it was asked in vain), 'guest', 'user'
const store = createStore({ status: 'unknown', user: null });
export const useSession = () => useStore(store);

let turn = 0; // how often it was settled: an answer to what was asked before does not count any more
let seen = null; // the companion at that time
function settle(user) {
  turn++;
  seen = companion();
  setReaderZone(user?.time_zone ?? null);
  store.set(user ? { status: 'user', user } : { status: 'guest', user: null });
}
export const loginAddress = (next = currentAddress()) => `/login?next=${encodeURIComponent(next)}`;

let asking = null; // the wait for the next try
/** Asks the server who is here. Trouble on the way signs nobody out: it is asked again. */
export async function askWho(wait = ASK_AGAIN_MS) {
  const asked = turn;
  clearTimeout(asking);
  try {
    const user = await whoAmI();
    if (asked !== turn) return;
    const before = store.get().user;
    if (before && user && before.id !== user.id) location.reload(); // all that the page holds is another person's
    else settle(user);
  } catch (error) {
    if (asked !== turn || store.get().status !== 'unknown') return; // who was known stays so
    store.set({ status: 'unknown', user: null, error });
    asking = setTimeout(askWho, wait, Math.min(wait * 2, ASK_AGAIN_MAX_MS));
  }
}

export function startSession() {
  setSignedOutHandler(() => {
    const was = store.get().status;
    settle(null);
    if (was === 'user') toast.info('Your session has ended. Please sign in again.');
  });
  document.addEventListener('visibilitychange', () => { // another tab may have signed in or out
    if (document.visibilityState === 'visible' && companion() !== seen) askWho();
  });
  if (!companion()) settle(null); // nearly always right, and the page need not wait; the server has the last word
  askWho();
}

export async function login(email, password) {
  const { user } = await post('/auth/login', { email, password }, { quiet401: true });
  settle(user);
  return user;
}

/**
 * Makes an account and signs in: { user }. What registering signs in holds tokens, which a page has no use for: that sign-in is ended.
 * Where the installation says of no address whether it has an account, a code is mailed first: { sent }.
 */
export async function register({ email, password, name }) {
  const made = await post('/api/auth/register', { email, password, name }, { quiet401: true });
  if (!made.access_token) return { sent: made };
  const user = await login(email, password);
  post('/api/auth/logout', undefined, { token: made.access_token, quiet401: true }).catch(() => {}); // else it runs out by itself
  return { user };
}

/** Confirms the address with the code that was mailed to it. */
export async function confirmEmail(code) {
  settle(await post('/api/auth/confirm', { code }));
}

async function leave(path) {
  try {
    await post(path, undefined, { again: true, quiet401: true });
  } catch (err) {
    if (!(err instanceof ApiError)) throw err;
    if (err.status !== 401) { // 401: the session was over already
      toast.error(`You are still signed in. ${err.message}`);
      return;
    }
  }
  settle(null);
  navigate('/');
}

/** Signs out. Whoever could not be signed out is told so and stays signed in. */
export const logout = () => leave('/auth/logout');
/** Signs out on every device, this one too. */
export const logoutEverywhere = () => leave('/api/auth/logout-all');

/** Changes what `fields` holds of the profile: name, time_zone, language. */
export async function saveProfile(fields) {
  settle(await put('/api/auth/me', fields));
}

/** Changes the password. That ends every sign-in but this browser's, which is given a new cookie. */
export async function changePassword(current_password, password) {
  await put('/api/auth/me', { current_password, password });
  settle(store.get().user);
}
