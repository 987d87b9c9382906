import { archiveStream, buildTinyImage, busyboxFiles, type DockerPort } from '@tiny-forge/docker';
import { APPLETS, HEALTH, PAGE, START } from './guestbook-files.ts';

export const DEMO_IMAGE = 'tiny-forge-guestbook:1';

/**
 * Assembles the demo's image and loads it. The same files give the same image.
 * @param busybox a static one that `npm start` found; undefined: one of this machine
 */
export async function loadDemoImage(docker: DockerPort, signal: AbortSignal, busybox?: string): Promise<void> {
  const archive = await buildTinyImage({
    tag: DEMO_IMAGE,
    files: [
      ...(await busyboxFiles(APPLETS, busybox)),
      { path: 'start.sh', mode: 0o755, content: START },
      // httpd runs this one for `/`.
      { path: 'www/cgi-bin/index.cgi', mode: 0o755, content: PAGE },
      { path: 'www/cgi-bin/health', mode: 0o755, content: HEALTH },
      { path: 'data', mode: 0o755, content: { directory: true } },
      { path: 'uploads', mode: 0o755, content: { directory: true } },
    ],
    entrypoint: ['/bin/sh', '/start.sh'],
  });
  await docker.loadImage(archiveStream(archive), signal);
}
