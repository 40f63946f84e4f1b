// Ratings: stars to read, and stars to choose with (radio buttons underneath).
import { useId } from 'preact/hooks';
import { html, cx } from '../lib/html.js';
import { plural, rating } from '../lib/format.js';
import { Icon } from './icon.js';

const FIVE = [1, 2, 3, 4, 5];

/** "★ 4.8 (120)" with words for screen readers. */
export function Rating({ value, count, class: more }) {
  if (!count) return html`<span class=${cx('rating rating--none', more)}>No reviews yet</span>`;
  return html`<span class=${cx('rating', more)}><${Icon} name="star" /><span aria-hidden="true"><strong>${rating(value)}</strong> <span class="rating__count">(${count})</span></span>
    <span class="visually-hidden">${rating(value)} of 5 stars, ${plural(count, 'review')}</span></span>`;
}

export const Stars = ({ value }) => html`<span class="stars" role="img" aria-label=${`${value} of 5 stars`}>
  ${FIVE.map((n) => html`<${Icon} key=${n} name="star" class=${n <= Math.round(value) ? 'is-on' : 'is-off'} />`)}</span>`;

const WORDS = ['', 'Poor', 'Could be better', 'Good', 'Very good', 'Excellent'];

export function StarInput({ label, value, onValue, error }) {
  const id = useId();
  return html`<fieldset class=${cx('star-input', error && 'field--wrong')} aria-describedby=${error ? `${id}-error` : undefined}>
    <legend class="field__label">${label}</legend>
    <div class="star-input__row">
      ${FIVE.map((n) => html`<label key=${n} class=${cx('star-input__star', n <= value && 'is-on')}>
        <input class="visually-hidden" type="radio" name=${id} value=${n} checked=${n === value} aria-invalid=${error ? 'true' : undefined} onChange=${() => onValue(n)} />
        <${Icon} name="star" /><span class="visually-hidden">${plural(n, 'star')}</span></label>`)}
      <span class="star-input__word" aria-hidden="true">${WORDS[value]}</span>
    </div>
    ${error ? html`<p class="field__error" id=${`${id}-error`}><${Icon} name="alert" />${error}</p>` : null}
  </fieldset>`;
}
