// Preact with htm's tagged templates: the one place where views get them from.
import { h, Fragment, render } from 'preact';
import htm from 'htm';

export const html = htm.bind(h);
export { h, Fragment, render };

/** Joins class names, leaving out what is falsy. */
export const cx = (...names) => names.filter(Boolean).join(' ');
