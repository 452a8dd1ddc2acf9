// Drives a widget in Firefox, as a person does, and ends with what went wrong, or with nothing.
//   node firefox.mjs BROWSER annotator ADDRESS   the annotator's page of this folder
//   node firefox.mjs BROWSER verifier ADDRESS    a notebook in JupyterLab whose cell shows a verifier
// The other browser tests are Playwright's, which drives only a Firefox of its own build.
import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";

const PATIENCE_MS = 120_000;

/** A stroke, a right click, a commit, a pass, undo, the sheet of keys: the first minutes. */
async function annotator(page, address) {
  await page.goto(`${address}?width=830&objects=1`);
  await page.waitForSelector('.evavos[data-evavos-ready="true"]');
  const is = (name, value) => page.waitForSelector(`.evavos[data-${name}="${value}"]`);
  const undoes = (what) => page.waitForSelector(`[data-action="undo"][aria-label="Undo: ${what}"]`);
  const stage = await page.$(".ev-stage");
  const { x, y, width, height } = await stage.boundingBox();
  const at = (right, down) => [x + right * width, y + down * height];
  const covered = (right, down, expected = true) =>
    page.waitForFunction(
      (right, down, expected) => {
        const canvas = document.querySelector("canvas.ev-canvas-masks");
        const place = [right * canvas.width, down * canvas.height, 1, 1];
        return canvas.getContext("2d").getImageData(...place).data[3] > 0 === expected;
      },
      {},
      right,
      down,
      expected,
    );

  // Two rows, and no arrows of the browser's over what a number field says.
  const looks = await page.evaluate(() => ({
    toolbar: document.querySelector(".ev-toolbar").clientHeight,
    fields: [...document.querySelectorAll('input[type="number"]')].map(
      (field) => getComputedStyle(field).appearance,
    ),
  }));
  assert.ok(looks.toolbar < 90, `the toolbar is ${looks.toolbar} px high`);
  assert.ok(looks.fields.length >= 2);
  assert.deepEqual([...new Set(looks.fields)], ["textfield"]);

  await page.focus(".ev-stage");
  await page.keyboard.press("b");
  await page.mouse.move(...at(0.4, 0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.6, 0.5), { steps: 6 });
  await page.mouse.up();
  await is("draft", "brush");
  await covered(0.45, 0.5);
  await covered(0.55, 0.5);

  // With the right button the brush erases, and no menu of the browser's opens.
  await page.evaluate(() => {
    window.addEventListener("contextmenu", (event) => {
      window.menus = [...(window.menus ?? []), event.defaultPrevented];
    });
  });
  await page.mouse.click(...at(0.55, 0.5), { button: "right" });
  await covered(0.55, 0.5, false);
  await covered(0.45, 0.5);
  assert.deepEqual(await page.evaluate(() => window.menus), [true]);

  await page.keyboard.press("Enter");
  await is("draft", "none");
  await undoes("mask on frame 0");
  await page.keyboard.press("t");
  await page.waitForFunction(() => window.harness.kernel.passes === 1);
  await is("phase", "idle");
  await page.keyboard.press("ArrowRight");
  await is("frame", 1);
  await covered(0.45, 0.5);

  await page.keyboard.down("Control");
  await page.keyboard.press("z");
  await page.keyboard.up("Control");
  await covered(0.45, 0.5, false);
  await page.keyboard.press("ArrowLeft");
  await is("frame", 0);
  await covered(0.45, 0.5, false);

  await page.keyboard.press("?");
  const row = await page.waitForSelector('[role="dialog"] [data-row="tool.brush"]');
  assert.match(await row.evaluate((row) => row.textContent), /Brush.*B/s);
  await page.keyboard.press("Escape");
  await page.waitForSelector('[role="dialog"]', { hidden: true });
  await page.keyboard.press("e");
  await is("tool", "eraser");
}

/** Six answers by the keyboard alone, one of them taken back; what is saved, pytest reads. */
async function verifier(page, address) {
  await page.goto(address);
  await page.waitForSelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]');
  await page.waitForFunction(() =>
    document.querySelector("#jp-main-statusbar")?.textContent.includes("| Idle"),
  );
  await page.click(".jp-Notebook .jp-CodeCell .jp-InputArea-editor");
  await page.keyboard.down("Shift");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Shift");
  const shows = (what) => page.waitForSelector(`.evavos[data-shown="${what}"]`);
  await shows("localisation");
  await page.focus(".evv-whole");
  await page.keyboard.press(" ");
  const answers = ["f", "d", "s", "d", "f", "d"];
  for (const [place, key] of answers.entries()) {
    await shows(`1:${place}`);
    await page.keyboard.press(key);
  }
  await page.waitForSelector('[data-answered="6"]');
  await shows("1:6");
  await page.keyboard.press("a");
  await shows("1:5");
  await page.keyboard.press("f");
  await shows("1:6");
  await page.waitForSelector('[data-answered="6"]');
}

const [executablePath, story, address] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  extraPrefsFirefox: { "ui.prefersReducedMotion": 1 },
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.setViewport({ width: 1280, height: 900 });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await { annotator, verifier }[story](page, address);
  assert.deepEqual(errors, []);
} finally {
  await browser.close();
}
