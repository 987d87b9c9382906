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

  // A network that changes while the page loads (a phone between two of them, Docker making an interface) cuts scripts off,
  // and the page would stay empty: it is loaded again, after 1, 2, 4 and 8 s.
  var LATER = { en: 'The network was cut; trying again…', ru: 'Связь прервалась; пробуем ещё раз…' };
  var NOT = {
    en: 'The page could not be loaded. Reload it when the network is back.',
    ru: 'Страница не загрузилась. Обновите её, когда связь появится.',
  };
  var counter = 'tiny-forge.loads';
  var pending = false;
  function again() {
    if (pending || root.dataset.started !== undefined) return;
    pending = true;
    var count = 99;
    try {
      count = Number(sessionStorage.getItem(counter)) || 0;
      sessionStorage.setItem(counter, String(count + 1));
    } catch {
      // Without storage nobody would count: once is all.
    }
    say((count < 4 ? LATER : NOT)[wanted]);
    if (count < 4) setTimeout(() => location.reload(), 1000 * 2 ** count);
  }
  function say(text) {
    if (!document.body) return addEventListener('DOMContentLoaded', () => say(text));
    var line = document.createElement('p');
    line.setAttribute('role', 'status');
    line.dataset.testid = 'load-failed';
    line.textContent = text;
    document.body.prepend(line);
  }
  addEventListener('error', (event) => event.target instanceof HTMLScriptElement && again(), true);
  addEventListener('unhandledrejection', again);
  addEventListener('vite:preloadError', () => {
    // A page of the running app: its address is loaded whole.
    if (root.dataset.started !== undefined) location.reload();
  });
  addEventListener('load', () =>
    setTimeout(() => {
      if (root.dataset.started === undefined) return;
      try {
        sessionStorage.removeItem(counter);
      } catch {
        // Nothing was counted.
      }
    }, 1000),
  );
})();
