// Speaks what `npm start` listens to: /readyz, SIGTERM, the IPC channel. FAKE_SERVER chooses how it misbehaves.
import http from 'node:http';

const mode = process.env.FAKE_SERVER ?? '';
const started = Date.now();
const readyAfterMs = mode === 'slow' ? 1_000 : 100;
console.log(
  JSON.stringify({
    fake: 'env',
    temporal: process.env.TEMPORAL_ADDRESS,
    namespace: process.env.TEMPORAL_NAMESPACE,
    ui: process.env.TEMPORAL_UI_URL,
    docker: process.env.DOCKER_HOST,
    pid: process.pid,
  }),
);
if (mode === 'dies') setTimeout(() => process.exit(3), 300);
const server = http.createServer((request, response) => {
  const ready = request.url === '/readyz' && Date.now() - started > readyAfterMs;
  response.writeHead(ready ? 200 : 503, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      status: ready ? 'ready' : 'starting',
      parts: [{ name: 'recovery', status: ready ? 'up' : 'starting' }],
    }),
  );
});
const end = (why) => {
  console.log(`fake server ends: ${why}`);
  setTimeout(() => process.exit(0), mode === 'slow' ? 2_000 : 50);
};
process.on('SIGTERM', () => (mode === 'deaf' ? undefined : end('SIGTERM')));
process.on('disconnect', () => end('disconnect'));
server.listen(Number(process.env.TINY_FORGE_PORT), '127.0.0.1', () => {
  process.send?.({ type: 'listening', url: `http://127.0.0.1:${server.address().port}` });
});
