// The filters of the chef list: place, price, order. Text is taken once the typing stops.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { CITIES } from '../lib/choices.js';
import { useSettled } from '../lib/resource.js';
import { Select, TextField } from './field.js';

const SORTS = [['rating', 'Best rated'], ['price', 'Lowest price'], ['newest', 'New on CooCook']];

/** A text whose value goes to the address when it has settled; follows the address when that changes. */
function useSettledParam(params, change, name, clean) {
  const [text, setText] = useState(params[name] ?? '');
  const settled = useSettled(clean(text), 400);
  useEffect(() => { if (settled !== (params[name] ?? '')) change({ [name]: settled || null, page: null }, { replace: true }); }, [settled]);
  useEffect(() => { if ((params[name] ?? '') !== settled) setText(params[name] ?? ''); }, [params[name]]);
  return [text, setText];
}

/** A place is matched whole, so it is taken when it is chosen, finished with Enter, or left. */
function usePlace(params, change) {
  const [text, setText] = useState(params.location ?? '');
  useEffect(() => setText(params.location ?? ''), [params.location]);
  const take = (value) => { if (value.trim() !== (params.location ?? '')) change({ location: value.trim() || null, page: null }, { replace: true }); };
  const onValue = (value) => {
    setText(value);
    const known = CITIES.find((c) => c.toLowerCase() === value.trim().toLowerCase());
    if (known || !value) take(known ?? '');
  };
  return { value: text, onValue, onChange: (e) => take(e.currentTarget.value) };
}

const digits = (s) => s.replace(/\D/g, '').replace(/^0+(?=\d)/, '').slice(0, 9);

export function Filters({ params, change, searching }) {
  const place = usePlace(params, change);
  const [min, setMin] = useSettledParam(params, change, 'min_price', digits);
  const [max, setMax] = useSettledParam(params, change, 'max_price', digits);
  const crossed = min && max && Number(digits(min)) > Number(digits(max));
  return html`<fieldset class="filters" disabled=${searching}>
    <legend class="filters__title">Filters</legend>
    ${searching ? html`<p class="filters__note">Search looks through all chefs. Clear it to filter.</p>` : null}
    <${Select} label="Sort by" value=${params.sort ?? 'rating'} options=${SORTS} onValue=${(v) => change({ sort: v === 'rating' ? null : v, page: null })} />
    <${TextField} label="City or district" ...${place} list="cities" placeholder="Anywhere" autocomplete="off" />
    <datalist id="cities">${CITIES.map((c) => html`<option key=${c} value=${c}></option>`)}</datalist>
    <div class="filters__range" role="group" aria-label="Price per hour in won">
      <${TextField} label="Price from, ₩" inputmode="numeric" value=${min} onValue=${setMin} placeholder="0" error=${crossed ? 'Higher than the upper end.' : undefined} />
      <${TextField} label="to, ₩" inputmode="numeric" value=${max} onValue=${setMax} placeholder="Any" />
    </div>
  </fieldset>`;
}
