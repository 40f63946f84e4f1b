// The picture of a chef. Chefs bring no photographs, so their cuisine and name make one: a colour and a dish.
import { html, cx } from '../lib/html.js';
import { initial } from '../lib/format.js';
import { Icon } from './icon.js';

// words of a cuisine's name, English and Korean → dish and colour
const DISHES = [
  [/korea|한식|한국/i, 'bowl', 'red'], [/japan|일식|일본|sushi|스시/i, 'sushi', 'indigo'], [/chin|중식|중국/i, 'noodles', 'crimson'],
  [/ital|이탈|pizza|pasta/i, 'pizza', 'olive'], [/french|france|프렌치|프랑스/i, 'croissant', 'plum'], [/thai|태국|vietnam|베트남/i, 'chili', 'teal'],
  [/india|인도/i, 'pot', 'amber'], [/mexic|멕시/i, 'taco', 'orange'], [/vegan|vegeta|비건|채식/i, 'leaf', 'green'], [/sea|fish|해산물/i, 'fish', 'blue'],
  [/dessert|baker|pastry|디저트|베이커리|제과/i, 'cake', 'rose'],
  [/spain|spanish|스페인|mediterr|지중해/i, 'pan', 'amber'],
  [/west|america|양식|미국|fusion|퓨전/i, 'cutlery', 'blue'],
];
const COLOURS = ['red', 'indigo', 'olive', 'plum', 'teal', 'amber', 'orange', 'green', 'blue', 'rose'];

export function dishOf(cuisine = '') {
  const hit = DISHES.find(([words]) => words.test(cuisine));
  if (hit) return { icon: hit[1], colour: hit[2] };
  const sum = [...cuisine].reduce((s, c) => s + c.codePointAt(0), 0);
  return { icon: 'cutlery', colour: COLOURS[sum % COLOURS.length] };
}

export function Cover({ chef, class: more }) {
  const { icon, colour } = dishOf(chef.cuisine_type);
  const turn = (chef.id ?? 0) % 4;
  return html`<div class=${cx('cover', `hue-${colour}`, `cover--${turn}`, more)} aria-hidden="true">
    <span class="cover__plate"><${Icon} name=${icon} /></span>
  </div>`;
}

export function Avatar({ name, cuisine, class: more }) {
  const colour = cuisine ? dishOf(cuisine).colour : COLOURS[[...(name ?? '')].reduce((s, c) => s + c.codePointAt(0), 0) % COLOURS.length];
  return html`<span class=${cx('avatar', `hue-${colour}`, more)} aria-hidden="true">${initial(name)}</span>`;
}
