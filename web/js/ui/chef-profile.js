// The form of a chef's profile, new or changed, and taking it down.
import { useMemo, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { ApiError, del, keyKeeper, post, put } from '../lib/api.js';
import { CITIES, CUISINES } from '../lib/choices.js';
import { found, need, useForm } from '../lib/form.js';
import { useAction } from '../lib/resource.js';
import { toast } from '../lib/toast.js';
import { readerZone } from '../lib/zone.js';
import { Button } from './button.js';
import { Confirm } from './dialog.js';
import { FormError, Submit, TextArea, TextField, ZoneField } from './field.js';

export function ProfileForm({ chef, onSaved }) {
  const keys = useMemo(keyKeeper, []);
  const form = useForm({
    initial: {
      name: chef?.name ?? '', cuisine_type: chef?.cuisine_type ?? '', location: chef?.location ?? '',
      price_per_session: String(chef?.price_per_session ?? ''), bio: chef?.bio ?? '', time_zone: chef?.time_zone ?? readerZone(),
    },
    check: (v) => found({
      name: need(v.name, 'the name guests shall see'), cuisine_type: need(v.cuisine_type, 'what you cook'), location: need(v.location, 'where you cook'),
      time_zone: need(v.time_zone, 'a time zone, such as Asia/Seoul'),
      price_per_session: /^\d+$/.test(v.price_per_session.trim()) ? undefined : 'Please enter whole won, such as 80000.',
    }),
    send: async (v) => {
      const body = { name: v.name.trim(), cuisine_type: v.cuisine_type.trim(), location: v.location.trim(), price_per_session: Number(v.price_per_session), bio: v.bio.trim(), time_zone: v.time_zone.trim() };
      if (chef) {
        await put(`/api/coocook/chefs/${chef.id}`, body);
        toast.ok('Your profile is saved.');
        onSaved({ ...chef, ...body });
      } else {
        const { id } = await keys.ask(body, (key) => post('/api/coocook/chefs', body, { key }));
        toast.ok('Your profile is open to guests.');
        onSaved({ id, rating: 0, rating_count: 0, ...body });
      }
    },
  });
  return html`<form class="form" novalidate onSubmit=${form.submit}>
    <${FormError} error=${form.general} />
    <${TextField} label="Name" hint="As guests shall see it." ...${form.bind('name')} />
    <div class="form__pair">
      <${TextField} label="Cuisine" list="cuisines" autocomplete="off" ...${form.bind('cuisine_type')} />
      <${TextField} label="City" list="cities" autocomplete="off" ...${form.bind('location')} />
    </div>
    <datalist id="cuisines">${CUISINES.map((c) => html`<option key=${c} value=${c}></option>`)}</datalist>
    <datalist id="cities">${CITIES.map((c) => html`<option key=${c} value=${c}></option>`)}</datalist>
    <${TextField} label="Price per hour, ₩" inputmode="numeric" autocomplete="off" ...${form.bind('price_per_session')} />
    <${ZoneField} label="Time zone" hint="Where you cook: your days and hours are by its clocks." ...${form.bind('time_zone')} />
    <${TextArea} label="About you" hint="Dishes, kitchens, what a table of yours is like." max=${2000} maxlength="2000" ...${form.bind('bio')} />
    <${Submit} busy=${form.busy}>${chef ? 'Save the profile' : 'Open my kitchen'}<//>
  </form>`;
}

export function TakeDown({ chef, onDone }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState(null);
  const [busy, remove] = useAction(async () => {
    try {
      await del(`/api/coocook/chefs/${chef.id}`);
      toast.ok('Your profile is taken down.');
      onDone();
    } catch (err) {
      if (!(err instanceof ApiError)) throw err;
      setError(err);
    }
  });
  return html`<div class="card__foot"><${Button} kind="quiet" onClick=${() => setAsking(true)}>Take the profile down<//>
    ${asking ? html`<${Confirm} title="Take your profile down?" yes="Take it down" danger busy=${busy} onYes=${remove} onClose=${() => setAsking(false)}>
      <p>Guests will no longer find you. Bookings already made stay.</p><${FormError} error=${error} /><//>` : null}</div>`;
}
