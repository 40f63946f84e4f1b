// What guests say of a chef, a page at a time.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { ago, plural, rating } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { Button } from './button.js';
import { Avatar } from './cover.js';
import { Stars } from './stars.js';
import { Empty, Loaded, Skeleton } from './states.js';

const PER_PAGE = 6;

export function Reviews({ chefId }) {
  const [pages, setPages] = useState(1);
  // what was read stays; a further page adds to it
  const [list, setList] = useState([]);
  const reviews = useResource(async (signal) => {
    const data = await get(`/api/coocook/chefs/${chefId}/reviews`, { page: pages, per_page: PER_PAGE }, { signal });
    setList((l) => [...l.slice(0, (pages - 1) * PER_PAGE), ...data.reviews]);
    return data;
  }, [chefId, pages]);
  return html`<section aria-labelledby="reviews" class="reviews">
    <h2 id="reviews">What guests say</h2>
    <${Loaded} resource=${reviews} skeleton=${html`<${Skeleton} shape="row" count=${3} />`} title="The reviews did not load">
      ${(data) => {
        const total = data.total_reviews ?? data.total ?? list.length;
        if (!total) return html`<${Empty} icon="message" level=${3} title="No reviews yet"><p>The first guest to finish a booking writes the first line.</p><//>`;
        return html`
          <p class="reviews__sum"><span class="reviews__big">${rating(data.average_rating)}</span><span><${Stars} value=${data.average_rating} /><br />${plural(total, 'review')}</span></p>
          <ul class="reviews__list">${list.map((r) => html`<li key=${r.id} class="review">
            <${Avatar} name=${r.author ?? 'A guest'} />
            <div><p class="review__head"><strong>${r.author ?? 'A guest'}</strong><span>${ago(r.created_at)}</span></p>
              <${Stars} value=${r.rating} />
              ${r.comment ? html`<p class="review__text">${r.comment}</p>` : null}</div>
          </li>`)}</ul>
          ${list.length < total ? html`<${Button} busy=${reviews.loading} onClick=${() => !reviews.loading && setPages(pages + 1)}>Show more reviews<//>` : null}`;
      }}
    <//>
  </section>`;
}
