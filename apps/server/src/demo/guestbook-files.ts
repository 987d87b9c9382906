/** The demo app: a guestbook of shell and busybox, in an image without anything else. */
export const ENTRIES_TARGET = '/data';
export const UPLOADS_TARGET = '/uploads';
export const GUESTBOOK_PORT = 8080;

/** First process of the container: answers SIGTERM at once, which busybox's httpd as first process would not. */
export const START = `#!/bin/sh
httpd -p ${GUESTBOOK_PORT} -h /www
trap 'exit 0' TERM INT
while :; do sleep 3600 & wait $!; done
`;

/** httpd ends a status line that it makes itself with LF alone, which strict clients refuse: the script writes its own. */
export const HEALTH = `#!/bin/sh
printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\nok\\n'
`;

const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1a2028;--muted:#545e6c;--line:#d5dae1;--link:#0b4fa8;--bad:#8e1220}
@media(prefers-color-scheme:dark){:root{--bg:#11151a;--card:#191e25;--text:#e6eaf0;--muted:#a3adba;--line:#323b46;--link:#4ba6f7;--bad:#ee7d89}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:42rem;margin:0 auto;padding:2rem 1rem}h1{font-size:1.75rem;margin:0 0 .25rem}p{margin:.25rem 0}
.sub,time{color:var(--muted);font-size:.875rem}form,article{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:1rem;margin:1rem 0}
article{display:grid;grid-template-columns:3.5rem 1fr;gap:0 1rem;overflow-wrap:anywhere}article svg{width:3.5rem;height:3.5rem;border-radius:6px}
label{display:block;font-size:.875rem;margin:.5rem 0 .25rem}input,textarea{width:100%;font:inherit;color:inherit;background:var(--bg);border:1px solid var(--muted);border-radius:6px;padding:.5rem}
button{font:inherit;border:0;border-radius:6px;padding:.5rem 1rem;margin-top:.75rem;background:var(--link);color:var(--card);cursor:pointer}
.danger{border-color:var(--bad)}.danger button{background:var(--bad)}.empty{text-align:center;padding:3rem 1rem}`;

/**
 * Reads the form, writes an entry or wrecks the data, shows the page. Everything a visitor sent is escaped where it is shown, and is never part of
 * a command, a path or a format.
 */
export const PAGE = `#!/bin/sh
LC_ALL=C
escape() { tr -d '\\000-\\010\\013-\\037\\177' | sed "s/&/\\&amp;/g;s/</\\&lt;/g;s/>/\\&gt;/g;s/\\"/\\&quot;/g;s/'/\\&#39;/g"; }
field() { # name: its decoded value, from $form
  value=$(printf '%s' "$form" | tr '&' '\\n' | sed -n "s/^$1=//p" | head -n 1 | tr '+' ' ')
  httpd -d "x$value" | sed '1s/^x//'
}
redirect() { printf 'HTTP/1.0 303 See Other\\r\\nLocation: /\\r\\nContent-Length: 0\\r\\n\\r\\n'; exit 0; }
refuse() { printf 'HTTP/1.0 %s\\r\\nContent-Type: text/plain; charset=utf-8\\r\\n\\r\\n%s\\n' "$1" "$2"; exit 0; }

if [ "$REQUEST_METHOD" = POST ]; then
  case "$CONTENT_LENGTH" in ''|*[!0-9]*|??????*) refuse '413 Payload Too Large' 'That is too long.';; esac
  [ "$CONTENT_LENGTH" -gt 8192 ] && refuse '413 Payload Too Large' 'That is too long.'
  form=$(head -c "$CONTENT_LENGTH" | tr -d '\\000')
  case $(field action) in
  wreck)
    find ${ENTRIES_TARGET} ${UPLOADS_TARGET} -mindepth 1 -maxdepth 1 -exec rm -rf {} +
    redirect;;
  sign)
    name=$(field name | tr '\\n' ' ' | head -c 80)
    text=$(field text | head -c 1000)
    [ -n "$text" ] || redirect
    [ "$(ls ${ENTRIES_TARGET} | wc -l)" -lt 500 ] || refuse '507 Insufficient Storage' 'The guestbook is full.'
    id=$(date -u +%Y%m%d%H%M%S)-$$
    printf '%s\\n%s\\n%s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "\${name:-Somebody}" "$text" > ${ENTRIES_TARGET}/.$id &&
      mv ${ENTRIES_TARGET}/.$id ${ENTRIES_TARGET}/$id.txt &&
      printf '%s' "$id" | sha256sum | cut -c 1-6 > ${UPLOADS_TARGET}/$id.colour
    redirect;;
  esac
  refuse '400 Bad Request' 'What is that?'
fi

printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/html; charset=utf-8\\r\\nCache-Control: no-store\\r\\n'
printf "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; form-action 'self'\\r\\n\\r\\n"
cat <<'HTML'
<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Guestbook</title><style>${STYLE}</style></head><body><main>
<h1>Guestbook</h1><p class="sub">A small app that Tiny Forge runs for you. Its entries live in one volume, its pictures in another.</p>
<form method="post" action="/"><input type="hidden" name="action" value="sign">
<label for="name">Your name</label><input id="name" name="name" maxlength="60" autocomplete="off">
<label for="text">What would you like to leave here?</label><textarea id="text" name="text" rows="3" maxlength="500" required></textarea>
<button>Sign the guestbook</button></form>
HTML
count=0
for file in $(ls -r ${ENTRIES_TARGET} 2>/dev/null | grep '\\.txt$' | head -n 100); do
  count=$((count + 1))
  colour=$(head -c 6 "${UPLOADS_TARGET}/\${file%.txt}.colour" 2>/dev/null | tr -cd '0-9a-f')
  printf '<article><svg viewBox="0 0 8 8" aria-hidden="true"><rect width="8" height="8" fill="#%s"/><circle cx="4" cy="3" r="1.6" fill="#fff"/><path d="M1 8a3 3 0 0 1 6 0z" fill="#fff"/></svg><div><strong>' "\${colour:-888888}"
  sed -n 2p "${ENTRIES_TARGET}/$file" | escape
  printf '</strong> <time>'
  sed -n 1p "${ENTRIES_TARGET}/$file" | tr 'TZ' '  ' | escape
  printf '</time><p>'
  sed -n '3,$p' "${ENTRIES_TARGET}/$file" | escape
  printf '</p></div></article>\\n'
done
[ $count -gt 0 ] || printf '<p class="empty">Nothing here. Every entry is gone.</p>'
cat <<'HTML'
<form method="post" action="/" class="danger"><input type="hidden" name="action" value="wreck">
<p><strong>Break it</strong></p><p class="sub">Deletes every file of both volumes at once. Tiny Forge brings them back from a snapshot.</p>
<button>Wreck the data</button></form></main></body></html>
HTML
`;

export const APPLETS = [
  'sh',
  'httpd',
  'sleep',
  'cat',
  'tr',
  'sed',
  'head',
  'find',
  'ls',
  'wc',
  'date',
  'mv',
  'rm',
  'sha256sum',
  'cut',
  'grep',
];

/** What a guestbook holds that some have signed already. Offsets in minutes before now. */
export const SEED = [
  {
    minutesAgo: 2_880,
    name: 'The first visitor',
    text: 'First! I hope this page is still here tomorrow.',
    colour: '0b4fa8',
  },
  {
    minutesAgo: 1_500,
    name: 'Прохожая',
    text: 'Красивая книга. Оставлю здесь пару слов и проверю, переживут ли они снимок.',
    colour: '1c6e51',
  },
  {
    minutesAgo: 190,
    name: 'A choir & <friends>',
    text: 'We sang here. Do take a snapshot before you press the red button.',
    colour: '875e00',
  },
  {
    minutesAgo: 25,
    name: 'The neighbour',
    text: 'Take a snapshot, wreck the data below, then restore. I will still be here.',
    colour: '8e1220',
  },
] as const;
