// Form fields: label, control, hint and error tied together for eyes and screen readers alike.
import { useId, useState } from 'preact/hooks';
import { html, cx } from '../lib/html.js';
import { zoneNames } from '../lib/zone.js';
import { Button } from './button.js';
import { Icon } from './icon.js';

function Frame({ id, label, hint, error, class: more, children }) {
  return html`<div class=${cx('field', error && 'field--wrong', more)}>
    <label class="field__label" for=${id}>${label}</label>
    ${children}
    ${hint && !error ? html`<p class="field__hint" id=${`${id}-hint`}>${hint}</p>` : null}
    ${error ? html`<p class="field__error" id=${`${id}-error`}><${Icon} name="alert" />${error}</p>` : null}
  </div>`;
}

const ties = (id, hint, error) => ({
  id, 'aria-invalid': error ? 'true' : undefined,
  'aria-describedby': error ? `${id}-error` : hint ? `${id}-hint` : undefined,
});

/** A one-line field. onValue gets the text. */
export function TextField({ label, hint, error, value, onValue, class: more, ...rest }) {
  const id = useId();
  return html`<${Frame} ...${{ id, label, hint, error, class: more }}>
    <input class="input" ...${ties(id, hint, error)} ...${rest} value=${value} onInput=${(e) => onValue(e.currentTarget.value)} />
  <//>`;
}

/** A time zone by its name in the tz database; the browser's are suggested as it is typed. */
export function ZoneField(props) {
  const id = useId();
  return html`<${TextField} autocomplete="off" spellcheck="false" list=${id} ...${props} />
    <datalist id=${id}>${zoneNames().map((z) => html`<option key=${z} value=${z}></option>`)}</datalist>`;
}

export function PasswordField({ label, hint, error, value, onValue, ...rest }) {
  const id = useId();
  const [shown, setShown] = useState(false);
  return html`<${Frame} ...${{ id, label, hint, error }}>
    <div class="input-group">
      <input class="input" ...${ties(id, hint, error)} ...${rest} type=${shown ? 'text' : 'password'} value=${value} onInput=${(e) => onValue(e.currentTarget.value)} />
      <button type="button" class="input-group__button" aria-pressed=${shown} aria-label="Show the password" onClick=${() => setShown(!shown)}><${Icon} name="eye" /></button>
    </div>
  <//>`;
}

export function TextArea({ label, hint, error, value, onValue, max, ...rest }) {
  const id = useId();
  const left = max ? max - [...value].length : null;
  return html`<${Frame} ...${{ id, label, error, hint: left !== null && left < 200 ? `${left} characters left` : hint }}>
    <textarea class="input input--area" rows="3" ...${ties(id, hint || left !== null, error)} ...${rest} value=${value} onInput=${(e) => onValue(e.currentTarget.value)}></textarea>
  <//>`;
}

/** options: [[value, text]…] */
export function Select({ label, hint, error, value, onValue, options, class: more, ...rest }) {
  const id = useId();
  return html`<${Frame} ...${{ id, label, hint, error, class: more }}>
    <div class="select">
      <select class="input" ...${ties(id, hint, error)} ...${rest} value=${value} onChange=${(e) => onValue(e.currentTarget.value)}>
        ${options.map(([v, text]) => html`<option key=${v} value=${v} selected=${String(v) === String(value)}>${text}</option>`)}
      </select>
      <${Icon} name="chevron-down" />
    </div>
  <//>`;
}

/** A search box: icon, field, and a button that empties it. */
export function SearchField({ label, value, onValue, ...rest }) {
  const id = useId();
  return html`<div class="search">
    <label class="visually-hidden" for=${id}>${label}</label>
    <${Icon} name="search" />
    <input class="input search__input" id=${id} type="search" autocomplete="off" spellcheck="false" enterkeyhint="search" ...${rest}
      value=${value} onInput=${(e) => onValue(e.currentTarget.value)} />
    ${value ? html`<button type="button" class="search__clear" aria-label="Clear the search" onClick=${() => onValue('')}><${Icon} name="close" /></button>` : null}
  </div>`;
}

/** The trouble of a whole form, read aloud when it appears. */
export const FormError = ({ error }) => html`<div class="form-error" role="alert">
  ${error ? html`<p><${Icon} name="alert" /><span>${error.message}${error.retryAfter ? ` Try again in ${error.retryAfter} s.` : ''}</span></p>` : null}
</div>`;

export const Submit = (props) => html`<${Button} type="submit" kind="primary" ...${props} />`;
