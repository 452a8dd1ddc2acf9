// Bundles the widgets into the Python package, where the wheel build and the kernel find them.
//   --watch                 again whenever a file changes
//   --serve [PORT]          the pages of harness/, which show the widgets without a notebook
//   --bundle ENTRY FOLDER   a widget from elsewhere, into a folder of its own
import { fstatSync, statSync } from "node:fs";
import { build, context } from "esbuild";

const outdir = new URL("../evavos_widget/widgets/static/", import.meta.url).pathname;
const LIMIT_KB = 200; // The whole text travels once per widget; larger bundles stall some hosts.

const options = {
  entryPoints: {
    annotator: "src/annotator/widget.tsx",
    campaign: "src/campaign/widget.tsx",
    curves: "src/curves/widget.tsx",
    policy: "src/policy/widget.tsx",
    verifier: "src/verifier/widget.tsx",
  },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  loader: { ".css": "css" },
  logLevel: "info",
};

const mode = process.argv[2];
if (mode === "--watch") {
  await (await context({ ...options, minify: false, sourcemap: "inline" })).watch();
} else if (mode === "--serve") {
  const harness = new URL("harness/", import.meta.url).pathname;
  const pages = { page: `${harness}page.ts`, curves: `${harness}curves.ts` };
  const served = await context({
    ...options,
    entryPoints: pages,
    outdir: `${harness}dist`,
    minify: false,
    write: false,
  });
  const { port } = await served.serve({ servedir: harness, port: Number(process.argv[3] ?? 0) });
  console.log(`http://localhost:${port}/`);
  // Whoever started it through a pipe is gone once that closes.
  if (fstatSync(0).isFIFO()) process.stdin.resume().on("close", () => process.exit());
} else if (mode === "--bundle") {
  const [entry, folder] = process.argv.slice(3);
  await build({ ...options, entryPoints: [entry], outdir: folder });
} else {
  await build(options);
  for (const name of Object.keys(options.entryPoints)) {
    const kilobytes = statSync(`${outdir}${name}.js`).size / 1024;
    if (kilobytes > LIMIT_KB) {
      throw new Error(
        `${name}.js has ${kilobytes.toFixed(0)} KB; keep it below ${LIMIT_KB} KB by removing a dependency.`,
      );
    }
  }
}
