// Runs before the first paint: language and theme are known before anything is drawn. The app reads them back from <html>.
(function () {
  var saved = {};
  try {
    saved = JSON.parse(localStorage.getItem('tiny-forge.preferences') || '{}') || {};
  } catch {
    saved = {};
  }
  var root = document.documentElement;
  var wanted = saved.language;
  if (wanted !== 'en' && wanted !== 'ru') {
    wanted = 'en';
    var asked = navigator.languages || [navigator.language || 'en'];
    for (var i = 0; i < asked.length; i++) {
      var short = String(asked[i]).slice(0, 2).toLowerCase();
      if (short === 'en' || short === 'ru') {
        wanted = short;
        break;
      }
    }
  }
  var theme = saved.theme;
  if (theme !== 'light' && theme !== 'dark')
    theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  root.lang = wanted;
  root.dataset.theme = theme;
})();
