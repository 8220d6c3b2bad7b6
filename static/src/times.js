// "Checked now" reads like an order: <relative-time> writes a moment of the last ten seconds as Intl does, and the server
// writes "just now". Imported before the element, which asks when it is defined.
const format = Intl.RelativeTimeFormat.prototype.format;
Intl.RelativeTimeFormat.prototype.format = function (value, unit) {
  const text = format.call(this, value, unit);
  return text === 'now' ? 'just now' : text;
};
