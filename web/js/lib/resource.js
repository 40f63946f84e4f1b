// Data of a view that comes from the server: loaded when the view appears, again when what it depends on changes,
// given up when the view goes away.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

/**
 * load(signal) → promise. Returns { data, error, loading, at, reload, refresh, setData }. While loading anew, `data` is what was
 * there before, so that a list does not flicker when a filter changes. refresh() loads anew without a sign of it and keeps
 * what is there when that fails; `at` is when data last came (ms). load null: nothing to load yet.
 */
export function useResource(load, deps) {
  const [state, setState] = useState({ data: null, error: null, loading: Boolean(load), at: 0 });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  const pending = useRef(false); // a slow answer is waited for, not asked for again
  const quiet = useRef(false);
  latest.current = load;

  useEffect(() => {
    const silent = quiet.current;
    quiet.current = false;
    if (!latest.current) { setState({ data: null, error: null, loading: false, at: 0 }); return undefined; }
    const abort = new AbortController();
    pending.current = true;
    if (!silent) setState((s) => ({ ...s, loading: true }));
    latest.current(abort.signal).then(
      (data) => { if (!abort.signal.aborted) { pending.current = false; setState({ data, error: null, loading: false, at: Date.now() }); } },
      (error) => {
        if (abort.signal.aborted) return;
        pending.current = false;
        if (!silent) setState({ data: null, error, loading: false, at: 0 });
      },
    );
    return () => abort.abort();
  }, [...deps, turn]);

  const reload = useCallback(() => { quiet.current = false; setTurn((t) => t + 1); }, []);
  const refresh = useCallback(() => {
    if (pending.current) return;
    quiet.current = true;
    setTurn((t) => t + 1);
  }, []);
  const setData = useCallback((next) => setState((s) => ({ ...s, data: typeof next === 'function' ? next(s.data) : next })), []);
  return { ...state, reload, refresh, setData };
}

/** Runs fn every `ms` while the page is looked at, and when it is looked at again. */
export function useEvery(ms, fn) {
  const latest = useRef(fn);
  latest.current = fn;
  useEffect(() => {
    const run = () => { if (document.visibilityState === 'visible') latest.current(); };
    const timer = setInterval(run, ms);
    document.addEventListener('visibilitychange', run);
    return () => { clearInterval(timer); document.removeEventListener('visibilitychange', run); };
  }, [ms]);
}

/** `value`, but only once it has stood still for `ms`. */
export function useSettled(value, ms = 300) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

/** Runs one action at a time: [busy, run]. A second call while the first runs is ignored. */
export function useAction(fn) {
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const alive = useRef(true);
  useEffect(() => { alive.current = true; return () => { alive.current = false; }; }, []);
  const run = async (...args) => {
    if (running.current) return undefined;
    running.current = true;
    setBusy(true);
    try { return await fn(...args); } finally {
      running.current = false;
      if (alive.current) setBusy(false);
    }
  };
  return [busy, run];
}
