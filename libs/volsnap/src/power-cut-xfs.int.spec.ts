import { powerCutProof } from './testing/power/power-cut-proof.ts';

powerCutProof('xfs');
