// Paying for a booking: a dialog that says what happens, then one charge, whatever the network does.
import { useMemo, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, keyKeeper, post } from '../lib/api.js';
import { span } from '../lib/booking.js';
import { money } from '../lib/format.js';
import { useAction } from '../lib/resource.js';
import { toast } from '../lib/toast.js';
import { Button } from './button.js';
import { Dialog } from './dialog.js';
import { FormError } from './field.js';
import { Icon } from './icon.js';

export function PayButton({ booking, onPaid, class: more }) {
  const [open, setOpen] = useState(false);
  const [paid, setPaid] = useState(false);
  if (paid) return html`<p class="paid"><${Icon} name="check" />Paid ${money(booking.total_price)}</p>`;
  return html`<${Button} kind="primary" icon="card" class=${more} onClick=${() => setOpen(true)}>Pay ${money(booking.total_price)}<//>
    ${open ? html`<${PayDialog} booking=${booking} onClose=${() => setOpen(false)} onPaid=${() => { setOpen(false); setPaid(true); onPaid?.(); }} />` : null}`;
}

function PayDialog({ booking, onClose, onPaid }) {
  const keys = useMemo(keyKeeper, []);
  const [error, setError] = useState(null);
  const [busy, pay] = useAction(async () => {
    const ask = { amount: booking.total_price };
    try {
      setError(null);
      await keys.ask(ask, (key) => post(`/api/coocook/bookings/${booking.id}/pay`, ask, { key }));
      toast.ok(`Paid ${money(booking.total_price)}.`);
      onPaid();
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      setError(err);
    }
  });
  return html`<${Dialog} title="Pay for this booking" onClose=${onClose}>
    <dl class="bill">
      <div><dt>Chef</dt><dd>${booking.chef_name}</dd></div>
      <div><dt>When</dt><dd>${span(booking)}</dd></div>
      <div class="bill__total"><dt>Total</dt><dd>${money(booking.total_price)}</dd></div>
    </dl>
    <p class="field__hint">Payments run through the sandbox provider: the booking is marked as paid and no card is charged.</p>
    <${FormError} error=${error} />
    <div class="dialog__buttons">
      <${Button} onClick=${onClose}>Not yet<//>
      <${Button} kind="primary" busy=${busy} onClick=${pay}>Pay ${money(booking.total_price)}<//>
    </div>
  <//>`;
}
