import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { staticBusybox, temporaryFolder } from './environment.ts';
import type { DockerEngine } from './docker-engine.ts';

/**
 * The app under test. At start it says which generation tokens its volumes carry (`BOOT a b`), so that a start on half-restored
 * data is on record; a file `unhealthy` in /data makes it fail its health check; one `slow` there keeps it from answering for as many
 * seconds as it says; `IGNORE_TERM=1` makes it deaf to SIGTERM.
 */
const APP = `#!/bin/busybox sh
B=/bin/busybox
echo "BOOT $($B cat /data/token /files/token /shared/token 2>/dev/null | $B sort -u | $B tr '\\n' ' ')"
$B mkdir -p /www/cgi-bin
[ -e /data/slow ] && $B sleep "$($B cat /data/slow)"
$B httpd -p 8080 -h /www
if [ "$IGNORE_TERM" = 1 ]; then trap '' TERM; else trap 'exit 0' TERM; fi
while :; do $B sleep 1 & wait $!; done
`;
// The server in busybox ends a status line that it makes itself with LF alone, which strict clients refuse.
const HEALTH = `#!/bin/busybox sh
status="200 OK"
[ -e /data/unhealthy ] && status="500 Not well"
printf 'HTTP/1.0 %s\\r\\nContent-Type: text/plain\\r\\n\\r\\n' "$status"
/bin/busybox cat /data/token
`;

/** Takes a number into the ledger of every volume and only then acknowledges it, with the generation that the ledger belongs to. */
const WRITE = `#!/bin/busybox sh
for volume in /data /shared /files; do echo "\${QUERY_STRING}" >> $volume/ledger || exit 1; done
printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n'
echo "$(/bin/busybox head -n 1 /data/ledger) \${QUERY_STRING}"
`;
const READ = `#!/bin/busybox sh
printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n'
/bin/busybox cat "/\${QUERY_STRING}/ledger"
`;

/** Loads a small image with an id of its own. */
export async function loadAppImage(docker: DockerEngine, reference: string): Promise<string> {
  const folder = temporaryFolder('image');
  try {
    for (const dir of ['bin', 'tmp', 'data', 'files', 'shared', 'www/cgi-bin'])
      fs.mkdirSync(path.join(folder, dir), { recursive: true });
    fs.copyFileSync(staticBusybox(), path.join(folder, 'bin/busybox'));
    fs.writeFileSync(path.join(folder, 'app.sh'), APP, { mode: 0o755 });
    for (const [name, script] of Object.entries({ health: HEALTH, write: WRITE, read: READ }))
      fs.writeFileSync(path.join(folder, 'www/cgi-bin', name), script, { mode: 0o755 });
    fs.writeFileSync(path.join(folder, 'image-name'), reference);
    const tar = execFileSync('tar', ['-C', folder, '--owner=0', '--group=0', '-c', '.'], {
      maxBuffer: 64 * 1024 * 1024,
    });
    const [repository = '', tag = ''] = reference.split(':');
    const changes = ['CMD ["/bin/busybox", "sh", "/app.sh"]', 'EXPOSE 8080'].map(
      (change) => `changes=${encodeURIComponent(change)}`,
    );
    const answer = await docker.call<{ status: string }>(
      'POST',
      `/images/create?fromSrc=-&repo=${repository}&tag=${tag}&${changes.join('&')}`,
      tar,
    );
    return answer.status;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
