// The HTTP client of the app: session cookie and CSRF header, deadlines, errors in the contract's form, polite retries.
//
// A read, and a write with an Idempotency-Key, may be sent again: after a lost connection, an overloaded server
// (503) or a rate limit (429) whose wait is short. Every other write is sent once; its caller decides. Any write that was refused
// for its CSRF token alone (the server has another secret now) is sent again once, after a read that renewed the token.

const TIMEOUT_MS = 12_000;
const RETRIES = 2;
const PATIENCE_S = 5; // the longest Retry-After that we wait for on our own

/**
 * What went wrong, for a person (message; fields: a sentence for each field that is wrong) and for code (status, code; nextFree:
 * instants that would do instead). status 0: no answer came.
 */
export class ApiError extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.error || defaultMessage(status));
    Object.assign(this, {
      name: 'ApiError', status, code: body.code ?? null, fields: sentences(body), nextFree: body.next_free ?? [], requestId: body.request_id ?? null, retryAfter,
    });
  }

  /** Trying the same again later may help. */
  get temporary() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/* The platform gives phrases that continue the field's name ("must be a date"); where only one is wrong, `error` is about it. */
function sentences({ error, fields = {} }) {
  const list = Object.entries(fields);
  return Object.fromEntries(list.map(([name, why]) => [name, list.length === 1 && error ? error : `${why[0].toUpperCase()}${why.slice(1)}.`]));
}

function defaultMessage(status) {
  if (status === 0) return 'We could not reach the server. Check your connection and try again.';
  if (status === 401) return 'Please sign in to go on.';
  if (status === 403) return 'Your account may not do this.';
  if (status === 404) return 'We could not find that.';
  if (status === 429) return 'That was a little fast. Please wait a moment.';
  if (status === 503) return 'The server is busy right now. Please try again in a moment.';
  return 'Something went wrong on our side. Please try again.';
}

let onSignedOut = () => {};
/** Sets what happens when a call that needs a session finds it over. */
export const setSignedOutHandler = (fn) => { onSignedOut = fn; };

/** Who the server takes this browser for, or null. The answer also renews sf_csrf, the cookie that writes carry. */
export const whoAmI = async () => (await get('/auth/session')).user;
/** The companion of the session's cookie, which scripts cannot read, or null. Where one is, very likely somebody is signed in; it
 *  changes when somebody signs in or out, in whichever tab. */
export const companion = () => cookie('sf_csrf');

function cookie(name) {
  const part = document.cookie.split('; ').find((c) => c.startsWith(`${name}=`));
  return part ? decodeURIComponent(part.slice(name.length + 1)) : null;
}

const wait = (ms, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); fail(signal.reason); }, { once: true });
});

/* Public answers may be kept by the browser for some minutes. Whoever has just changed something must see it, so
 * for a while after a write, kept answers are asked for anew (which costs little: an unchanged one is a 304). */
const WRITE_KEY = 'sf-wrote';
const CAUTION_MS = 10 * 60_000;
let wroteAt = 0;
function noteWrite() {
  wroteAt = Date.now();
  try { sessionStorage.setItem(WRITE_KEY, String(wroteAt)); } catch { /* storage may be forbidden: this page knows */ }
}
function wroteLately() {
  try { wroteAt = Math.max(wroteAt, Number(sessionStorage.getItem(WRITE_KEY))); } catch { /* as above */ }
  return Date.now() - wroteAt < CAUTION_MS;
}

function address(path, query) {
  const params = new URLSearchParams();
  for (const [k, v] of Object.entries(query ?? {})) if (v !== null && v !== undefined && v !== '') params.set(k, v);
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

/** Seconds of a Retry-After header (RFC 9110 §10.2.3: seconds or a date), or null. */
export function retryAfterSeconds(text, now = Date.now()) {
  if (!text) return null;
  if (/^\d+$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}

async function once(method, url, { body, key, signal, timeout, fresh, token }) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  if (token) headers.Authorization = `Bearer ${token}`;
  const csrf = cookie('sf_csrf');
  if (csrf && method !== 'GET') headers['X-CSRF-Token'] = csrf;
  if (method !== 'GET') noteWrite();
  const deadline = AbortSignal.timeout(timeout);
  const signals = signal ? AbortSignal.any([signal, deadline]) : deadline;
  let res;
  let text;
  try {
    res = await fetch(url, {
      method, headers, credentials: 'same-origin', cache: fresh || wroteLately() ? 'no-cache' : 'default', signal: signals,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await res.text();
  } catch (err) {
    if (signal?.aborted) throw signal.reason;
    throw new ApiError(0, deadline.aborted ? { error: 'The server took too long to answer. Please try again.' } : {});
  }
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* an answer from something in between: judged by its status */ }
  if (!res.ok) throw new ApiError(res.status, data ?? {}, retryAfterSeconds(res.headers.get('Retry-After')));
  return { data, headers: res.headers, status: res.status };
}

/**
 * Sends a request and returns { data, headers, status }, or throws ApiError (or the signal's reason when aborted).
 * key: Idempotency-Key, the same over all tries. again: a write that does no harm when it is done twice. fresh: an answer that the
 * browser has kept will not do. token: an access token to ask with instead of the session. quiet401: a 401 is the caller's business
 * (login, logout).
 */
export async function request(method, path, { query, body, key, signal, timeout = TIMEOUT_MS, again: harmless = false, fresh = false, token, quiet401 = false } = {}) {
  const url = address(path, query);
  const repeatable = method === 'GET' || Boolean(key) || harmless;
  let renewed = false;
  for (let attempt = 0; ; attempt++) {
    try {
      return await once(method, url, { body, key, signal, timeout, fresh, token });
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      if (err.status === 401 && !quiet401) onSignedOut();
      if (err.code === 'csrf' && !renewed) {
        renewed = true;
        await whoAmI();
        continue;
      }
      const again = repeatable && err.temporary && attempt < RETRIES;
      if (!again || (err.retryAfter ?? 0) > PATIENCE_S) throw err;
      await wait((err.retryAfter ?? 0.3 * 2 ** attempt) * 1000 + Math.random() * 200, signal);
    }
  }
}

export const get = async (path, query, opts) => (await request('GET', path, { query, ...opts })).data;
export const post = async (path, body, opts) => (await request('POST', path, { body, ...opts })).data;
export const put = async (path, body, opts) => (await request('PUT', path, { body, ...opts })).data;
export const del = async (path, opts) => (await request('DELETE', path, opts)).data;

/**
 * Keeps one Idempotency-Key for each distinct thing being asked for: the same question asked again (a double click, a
 * retry after a lost answer) has the same key, a changed one a new key. Forget it when the answer has come.
 */
export function keyKeeper() {
  let text = null;
  let key = null;
  return {
    for(question) {
      const now = JSON.stringify(question);
      if (now !== text) { text = now; key = crypto.randomUUID(); }
      return key;
    },
    forget() { text = null; },
    /** Asks with the question's key: send(key). The key is kept only while nobody knows what came of it, or it may work a little later. */
    async ask(question, send) {
      let known = true;
      try {
        return await send(this.for(question));
      } catch (err) {
        known = !(err instanceof ApiError) || !err.temporary;
        throw err;
      } finally {
        if (known) this.forget();
      }
    },
  };
}
