/** Webpack loader: every use of activity `from` becomes one of `to`. */
module.exports = function renameActivityLoader(source) {
  const { from, to } = this.getOptions();
  return source.replaceAll(new RegExp(`\\.${from}\\b`, 'g'), `.${to}`);
};
