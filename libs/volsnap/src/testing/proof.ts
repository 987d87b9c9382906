const wanted = process.env['PROOF'];

/** Whether `npm run prove` runs this: then much more than in the cut that `npm test` takes. */
export const isProof = wanted === 'proof' || wanted === 'whole';
/** `npm run prove -- --full`: everything, however long it takes. */
export const isWhole = wanted === 'whole';

/** One in so many of what could be tried: in `npm test`, in a proof, in a whole one all. */
export const oneIn = (test: number, proof: number): number => (isWhole ? 1 : isProof ? proof : test);
