import { Readable } from 'node:stream';
import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Handles } from '../http/endpoint.ts';
import { ENDPOINTS } from '../http/endpoints.ts';
import { resourceOf } from '../http/request.ts';
import { Services } from '../services.ts';
import { attachment, rangeOf } from './content-headers.ts';
import { addressOf, type PlaceQuery } from './entry-address.ts';

/** A reader that takes nothing for so long gives its place to others, ms. It may go on with a range. */
const STALL_MS = 120_000;

@Controller()
export class ContentsController {
  readonly #services: Services;

  constructor(@Inject(Services) services: Services) {
    this.#services = services;
  }

  @Handles(ENDPOINTS.snapshotEntries)
  entries(@Req() request: FastifyRequest): Promise<unknown> {
    const { cursor, limit, ...place } = request.forge.query as PlaceQuery & { cursor?: string; limit: number };
    return this.#services.contents.list(resourceOf(request, 'snapshot'), addressOf(place), { cursor, limit });
  }

  /** Nothing in a snapshot is ever rendered: always an attachment of octets, in a sandbox of its own should a browser show it all the same. */
  @Handles(ENDPOINTS.snapshotContent)
  async content(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request.forge.query as PlaceQuery);
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const { content, range, bytes, release } = await this.#services.contents.content(
      resourceOf(request, 'snapshot'),
      address,
      ({ size, sha256 }) => {
        const condition = request.headers['if-range'];
        const wanted = condition === undefined || condition === `"${sha256}"` ? request.headers.range : undefined;
        try {
          return rangeOf(wanted, size);
        } catch (error) {
          void reply.header('content-range', `bytes */${size}`);
          throw error;
        }
      },
      gone.signal,
    );
    const { start, end } = range ?? { start: 0, end: content.size };
    const { path } = content.entry;
    void reply
      .status(range === null ? 200 : 206)
      .header('content-type', 'application/octet-stream')
      .header('content-length', end - start)
      .header('content-disposition', attachment(path.subarray(path.lastIndexOf('/') + 1)))
      .header('content-security-policy', "sandbox; default-src 'none'")
      .header('x-content-type-options', 'nosniff')
      .header('accept-ranges', 'bytes')
      .header('etag', `"${content.sha256}"`);
    if (range !== null) void reply.header('content-range', `bytes ${start}-${end - 1}/${content.size}`);
    if (request.method === 'HEAD') {
      release();
      // Fastify counts any other body of a HEAD and says its length instead.
      await reply.send(Readable.from([]));
      return;
    }
    const body = Readable.from(
      withoutStalls(bytes, () => body.destroy(new Error('nobody reads'))),
      {
        objectMode: false,
        highWaterMark: 1,
      },
    );
    body.once('close', release);
    await reply.send(body);
  }
}

/** While a chunk lies unread the clock runs. */
async function* withoutStalls(bytes: AsyncIterable<Buffer>, onStall: () => void): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of bytes) {
    const timer = setTimeout(onStall, STALL_MS);
    try {
      yield chunk;
    } finally {
      clearTimeout(timer);
    }
  }
}
