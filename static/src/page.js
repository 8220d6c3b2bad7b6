// What the scripts of the build page share.
export const live = document.getElementById('live'), log = document.getElementById('log');
const put = id => text => { const place = document.getElementById(id); if (place && place.textContent !== text) place.textContent = text; };
/** How the log comes. */
export const say = put('log-state');
/** What a key or button did. */
export const tell = put('log-told');
/** After each message, when its parts are on the page. */
export const onMessage = act => document.addEventListener('htmx:sse:after:message', e => { if (!e.detail.message.event) act(e.detail.message.data); });
/** After lines came in the place of a gap. */
export const onLines = act => document.addEventListener('slipway:lines', act);
