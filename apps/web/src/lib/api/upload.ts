import { clock } from '../live/clock.svelte.ts';
import { api } from './client.ts';
import { ApiFailure } from './failure.ts';

export interface UploadProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface UploadRequest {
  readonly path: string;
  readonly body: Blob;
  readonly headers: Readonly<Record<string, string>>;
  readonly onProgress: (progress: UploadProgress) => void;
  /** Aborted: the connection breaks, and the server forgets what it has. */
  readonly signal: AbortSignal;
}

/**
 * Sends a file of any size. Only XMLHttpRequest tells how much of it is on its way. Never sent again by itself.
 * @throws ApiFailure; AbortError when `signal` was aborted
 */
export function upload<T>({ path, body, headers, onProgress, signal }: UploadRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    for (const [name, value] of Object.entries({
      Accept: 'application/json',
      'Content-Type': 'application/octet-stream',
      ...api.credentials(),
      ...headers,
    }))
      request.setRequestHeader(name, value);
    const abort = (): void => request.abort();
    signal.addEventListener('abort', abort, { once: true });
    request.upload.onprogress = ({ loaded, total }) => onProgress({ doneBytes: loaded, totalBytes: total });
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    request.onerror = () => reject(new ApiFailure({ kind: 'network', method: 'UPLOAD', at: clock.peek() }));
    request.onloadend = () => signal.removeEventListener('abort', abort);
    request.onload = () => {
      const outcome = api.judge<T>(
        'POST',
        request.status,
        request.getResponseHeader('content-type'),
        request.responseText,
      );
      if (outcome instanceof ApiFailure) reject(outcome);
      else resolve(outcome.data);
    };
    if (signal.aborted) abort();
    else request.send(body);
  });
}
