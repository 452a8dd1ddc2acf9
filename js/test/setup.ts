/** Property tests try the same values on every machine, so that a failure can be repeated. */

import fc from "fast-check";

fc.configureGlobal({ seed: 20240 });
