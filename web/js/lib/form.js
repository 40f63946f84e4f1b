// A form's values, its errors (ours and the server's, each at its field), and sending it once.
import { useRef, useState } from 'preact/hooks';
import { ApiError } from './api.js';

/**
 * initial: { name: value }; check(values) → { name: 'why' } for what is wrong; send(values) does the work.
 * Returns { values, set, errors, general, busy, bind(name), submit }: bind gives what a Field needs.
 */
export function useForm({ initial, check = () => ({}), send }) {
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState({});
  const [general, setGeneral] = useState(null);
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const form = useRef(null);

  const set = (name, value) => {
    setValues((v) => ({ ...v, [name]: value }));
    setErrors((e) => (e[name] ? { ...e, [name]: undefined } : e));
  };

  const show = (found) => {
    setErrors(found);
    // after the errors are drawn, the first field that has one takes the focus
    setTimeout(() => form.current?.querySelector('[aria-invalid="true"]')?.focus(), 0);
  };

  const submit = async (event) => {
    event?.preventDefault();
    if (event?.currentTarget) form.current = event.currentTarget;
    if (running.current) return;
    setGeneral(null);
    const wrong = check(values);
    if (Object.keys(wrong).length) { show(wrong); return; }
    running.current = true;
    setBusy(true);
    try {
      setErrors({});
      await send(values);
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      const known = Object.keys(err.fields).filter((name) => name in values);
      if (known.length) show(Object.fromEntries(known.map((name) => [name, err.fields[name]])));
      if (known.length < Object.keys(err.fields).length || !known.length) setGeneral(err);
    } finally {
      running.current = false;
      setBusy(false);
    }
  };

  const bind = (name) => ({ name, value: values[name], error: errors[name], onValue: (v) => set(name, v) });
  return { values, set, setValues, errors, general, busy, bind, submit };
}

/* Checks that several forms share; each returns why not, or undefined. */
export const need = (text, what) => (String(text ?? '').trim() ? undefined : `Please enter ${what}.`);
export const needEmail = (text) => need(text, 'your e-mail address')
  ?? (/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(text.trim()) ? undefined : 'This does not look like an e-mail address.');
export const needPassword = (text) => ([...(text ?? '')].length >= 8 ? undefined : 'A password has at least 8 characters.');
export const found = (errors) => Object.fromEntries(Object.entries(errors).filter(([, why]) => why));
