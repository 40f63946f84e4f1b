// Data of a view that comes from the server: loaded when the view appears, again when what it depends on changes,
// given up when the view goes away.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

/**
 * load(signal) → promise. Returns { data, error, loading, reload, setData }. While loading anew, `data` is what was
 * there before, so that a list does not flicker when a filter changes. load null: nothing to load yet.
 */
export function useResource(load, deps) {
  const [state, setState] = useState({ data: null, error: null, loading: Boolean(load) });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;

  useEffect(() => {
    if (!latest.current) { setState({ data: null, error: null, loading: false }); return undefined; }
    const abort = new AbortController();
    setState((s) => ({ ...s, loading: true }));
    latest.current(abort.signal).then(
      (data) => { if (!abort.signal.aborted) setState({ data, error: null, loading: false }); },
      (error) => { if (!abort.signal.aborted) setState({ data: null, error, loading: false }); },
    );
    return () => abort.abort();
  }, [...deps, turn]);

  const reload = useCallback(() => setTurn((t) => t + 1), []);
  const setData = useCallback((next) => setState((s) => ({ ...s, data: typeof next === 'function' ? next(s.data) : next })), []);
  return { ...state, reload, setData };
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
