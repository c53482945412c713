// Counts what a library tried to send while the server was away.
window.failures = 0;
const fetched = window.fetch;
window.fetch = (...request) => fetched(...request).catch((error) => {
  window.failures++;
  throw error;
});
const sent = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (body) {
  this.addEventListener("error", () => { window.failures++; });
  return sent.call(this, body);
};
