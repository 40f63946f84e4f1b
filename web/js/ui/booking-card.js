// A booking as its guest sees it, with what may be done now.
import { useMemo, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, del, keyKeeper, post } from '../lib/api.js';
import { dayOf, isPaid, mayCancel, mayPay, mayReview, remark, span } from '../lib/booking.js';
import { found, useForm } from '../lib/form.js';
import { fromToday, hours, money } from '../lib/format.js';
import { useAction } from '../lib/resource.js';
import { toast } from '../lib/toast.js';
import { Button } from './button.js';
import { Avatar } from './cover.js';
import { Confirm, Dialog } from './dialog.js';
import { FormError, Submit, TextArea } from './field.js';
import { Icon } from './icon.js';
import { PayButton } from './pay.js';
import { StarInput } from './stars.js';
import { Status } from './status.js';

export function BookingCard({ booking: b, onChange }) {
  const [dialog, setDialog] = useState(null);
  const close = () => setDialog(null);
  const changed = () => { close(); onChange(); };
  return html`<article class="booking" aria-label=${`${b.chef_name}, ${span(b)}`}>
    <${Avatar} name=${b.chef_name} cuisine=${b.chef_cuisine} class="avatar--large" />
    <div class="booking__main">
      <div class="booking__top"><h2 class="booking__chef"><a href=${`/chef?id=${b.chef_id}`}>${b.chef_name}</a></h2><${Status} status=${b.status} /></div>
      <p class="booking__when"><${Icon} name="calendar" /><strong>${span(b)}</strong><span>${fromToday(dayOf(b))}</span></p>
      <p class="booking__facts">${b.chef_cuisine}, ${hours(b.duration_hours)}, <strong>${money(b.total_price)}</strong>
        ${isPaid(b) ? html`<span class="chip chip--on">Paid</span>` : null}${b.payment_status === 'refunded' ? html`<span class="chip">Refunded</span>` : null}
      </p>
      ${remark(b, 'guest') ? html`<p class="booking__remark">${remark(b, 'guest')}</p>` : null}
      ${b.special_requests ? html`<p class="booking__notes"><${Icon} name="message" />${b.special_requests}</p>` : null}
      <div class="booking__actions">
        ${mayPay(b) ? html`<${PayButton} booking=${b} onPaid=${onChange} />` : null}
        ${mayReview(b) ? html`<${Button} kind="primary" icon="star" onClick=${() => setDialog('review')}>Write a review<//>` : null}
        ${mayCancel(b) ? html`<${Button} kind="quiet" onClick=${() => setDialog('cancel')}>Cancel<//>` : null}
      </div>
    </div>
    ${dialog === 'cancel' ? html`<${CancelDialog} booking=${b} onClose=${close} onDone=${changed} />` : null}
    ${dialog === 'review' ? html`<${ReviewDialog} booking=${b} onClose=${close} onDone=${changed} />` : null}
  </article>`;
}

function CancelDialog({ booking, onClose, onDone }) {
  const [error, setError] = useState(null);
  const [busy, cancel] = useAction(async () => {
    try {
      await del(`/api/coocook/bookings/${booking.id}`);
      toast.ok(isPaid(booking) ? 'Cancelled. Your payment is refunded.' : 'Cancelled.');
      onDone();
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      setError(err);
    }
  });
  return html`<${Confirm} title="Cancel this booking?" yes="Cancel the booking" danger busy=${busy} onYes=${cancel} onClose=${onClose}>
    <p><strong>${booking.chef_name}</strong>, ${span(booking)}.</p>
    <p>${isPaid(booking) ? `Your ${money(booking.total_price)} will be refunded.` : 'The hours become free for others.'}</p>
    <${FormError} error=${error} />
  <//>`;
}

function ReviewDialog({ booking, onClose, onDone }) {
  const keys = useMemo(keyKeeper, []);
  const form = useForm({
    initial: { rating: 0, comment: '' },
    check: (v) => found({ rating: v.rating ? undefined : 'Please choose one to five stars.' }),
    send: async (v) => {
      const review = { rating: v.rating, ...(v.comment.trim() && { comment: v.comment.trim() }) };
      await keys.ask(review, (key) => post(`/api/coocook/bookings/${booking.id}/review`, review, { key }));
      toast.ok('Thank you for your review.', { text: 'See it', href: `/chef?id=${booking.chef_id}` });
      onDone();
    },
  });
  return html`<${Dialog} title=${`How was ${booking.chef_name}?`} onClose=${onClose}>
    <form class="form" novalidate onSubmit=${form.submit}>
      <${StarInput} label="Your rating" value=${form.values.rating} error=${form.errors.rating} onValue=${(n) => form.set('rating', n)} />
      <${TextArea} label="In your words" hint="What would you tell a friend? You may leave it empty." max=${2000} maxlength="2000" ...${form.bind('comment')} />
      <${FormError} error=${form.general} />
      <div class="dialog__buttons"><${Button} onClick=${onClose}>Later<//><${Submit} busy=${form.busy}>Send the review<//></div>
    </form>
  <//>`;
}
