// A modal dialog on the browser's own <dialog>: it keeps the focus inside, closes with Escape, gives the focus back.
import { useEffect, useId, useRef } from 'preact/hooks';
import { html } from '../lib/html.js';
import { Button } from './button.js';
import { Icon } from './icon.js';

/** Stands open for as long as it is drawn; onClose is asked to take it away. */
export function Dialog({ title, onClose, children }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current, before = document.activeElement;
    dialog.showModal();
    document.documentElement.classList.add('has-dialog');
    return () => {
      document.documentElement.classList.remove('has-dialog');
      dialog.close(); // while it is modal, nothing behind it can take the focus
      if (before?.isConnected) before.focus();
    };
  }, []);
  const onBackdrop = (e) => { if (e.target === ref.current) onClose(); };
  return html`<dialog class="dialog" ref=${ref} aria-labelledby=${id} onCancel=${(e) => { e.preventDefault(); onClose(); }} onPointerDown=${onBackdrop}>
    <div class="dialog__body">
      <header class="dialog__head">
        <h2 class="dialog__title" id=${id}>${title}</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      ${children}
    </div>
  </dialog>`;
}

/** Asks before something that cannot be undone. */
export const Confirm = ({ title, children, yes, no = 'Keep it', danger, busy, onYes, onClose }) => html`<${Dialog} title=${title} onClose=${onClose}>
  <div class="dialog__text">${children}</div>
  <div class="dialog__buttons">
    <${Button} onClick=${onClose}>${no}<//>
    <${Button} kind=${danger ? 'danger' : 'primary'} busy=${busy} onClick=${onYes}>${yes}<//>
  </div>
<//>`;
