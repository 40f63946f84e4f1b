// A booking as its chef sees it: confirm, decline, complete.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, put } from '../lib/api.js';
import { dayOf, isOpen, isPaid, isExpired, mayComplete, remark, span } from '../lib/booking.js';
import { fromToday, hours, money } from '../lib/format.js';
import { useAction } from '../lib/resource.js';
import { toast } from '../lib/toast.js';
import { Button } from './button.js';
import { Avatar } from './cover.js';
import { Confirm } from './dialog.js';
import { FormError } from './field.js';
import { Icon } from './icon.js';
import { Status } from './status.js';

const SAID = { confirmed: 'Confirmed. The guest is told.', completed: 'Completed. The guest may now write a review.', cancelled: 'Declined. The guest is told.' };

export function RequestCard({ booking: b, onChange }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState(null);
  const [busy, turn] = useAction(async (status) => {
    try {
      setError(null);
      await put(`/api/coocook/bookings/${b.id}`, { status });
      toast.ok(SAID[status]);
      setAsking(false);
      onChange();
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      setError(err);
      if (err.status === 409) { toast.error(err); setAsking(false); onChange(); } // someone else has moved it meanwhile
    }
  });
  const guest = b.user_name ?? 'A guest';
  const waits = b.status === 'pending' && !isExpired(b);
  const button = (status, text) => html`<${Button} kind="primary" icon="check" busy=${busy} onClick=${() => turn(status)}>${text}<//>`;
  return html`<article class="booking" aria-label=${`${guest}, ${span(b)}`}>
    <${Avatar} name=${guest} class="avatar--large" />
    <div class="booking__main">
      <div class="booking__top"><h3 class="booking__chef">${guest}</h3><${Status} status=${b.status} /></div>
      <p class="booking__when"><${Icon} name="calendar" /><strong>${span(b)}</strong><span>${fromToday(dayOf(b))}</span></p>
      <p class="booking__facts">${hours(b.duration_hours)}, <strong>${money(b.total_price)}</strong>${isPaid(b) ? html` <span class="chip chip--on">Paid</span>` : null}</p>
      ${remark(b, 'chef') ? html`<p class="booking__remark">${remark(b, 'chef')}</p>` : null}
      ${b.special_requests ? html`<p class="booking__notes"><${Icon} name="message" />${b.special_requests}</p>` : null}
      <${FormError} error=${error} />
      <div class="booking__actions">
        ${waits ? button('confirmed', 'Confirm') : null}
        ${mayComplete(b) ? button('completed', 'Mark as cooked') : null}
        ${isOpen(b) && !isExpired(b) ? html`<${Button} kind="quiet" onClick=${() => setAsking(true)}>${waits ? 'Decline' : 'Call off'}<//>` : null}
      </div>
    </div>
    ${asking ? html`<${Confirm} title=${waits ? 'Decline this request?' : 'Call this booking off?'} yes=${waits ? 'Decline it' : 'Call it off'} danger
      busy=${busy} onYes=${() => turn('cancelled')} onClose=${() => setAsking(false)}>
      <p><strong>${guest}</strong>, ${span(b)}.</p><p>${isPaid(b) ? 'Their payment is refunded.' : 'The hours become free again.'}</p><//>` : null}
  </article>`;
}
