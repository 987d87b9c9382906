import http2 from 'node:http2';

const SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';

/**
 * Asks a Temporal frontend by gRPC's own health protocol (grpc.health.v1) whether it serves. No client library:
 * `npm start` stays small beside the server that has one.
 * @param address `host:port`, without TLS
 */
export function isTemporalServing(address: string, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://${address}`);
    const settle = (serving: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(serving);
    };
    const timer = setTimeout(() => settle(false), timeoutMs);
    session.on('error', () => settle(false));
    session.on('close', () => settle(false));
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    request.on('error', () => settle(false));
    const answer: Buffer[] = [];
    request.on('data', (chunk: Buffer) => answer.push(chunk));
    request.on('end', () => settle(isServing(Buffer.concat(answer))));
    request.end(frame(SERVICE));
  });
}

/** A gRPC frame (flag, length) around the message `{1: service}`. */
function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The answer's message is `{1: 1}`: SERVING. */
function isServing(answer: Buffer): boolean {
  return answer.length >= 7 && answer[5] === 0x08 && answer[6] === 0x01;
}
