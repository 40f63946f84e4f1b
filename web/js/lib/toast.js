// Short messages that appear in a corner, are read aloud, and go away by themselves.
import { createStore } from './store.js';

const SHOWN_MS = 6000;
export const toasts = createStore([]);
let lastId = 0;

function add(kind, text, action) {
  const id = ++lastId;
  toasts.set((list) => [...list.slice(-2), { id, kind, text, action }]);
  if (kind !== 'error') setTimeout(() => dismiss(id), SHOWN_MS); // an error stays until it is read
}

export const dismiss = (id) => toasts.set((list) => list.filter((t) => t.id !== id));
export const toast = {
  ok: (text, action) => add('ok', text, action),
  info: (text, action) => add('info', text, action),
  error: (err) => add('error', typeof err === 'string' ? err : err.message),
};
