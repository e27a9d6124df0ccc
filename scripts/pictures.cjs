// Takes pictures of a report: at desktop and at phone width, with the player at a moment where something happens.
const { chromium } = require('playwright-core');

const [report, folder] = process.argv.slice(2);
const MOMENT_S = 22;
const PICTURES = [
  { name: 'report.png', viewport: { width: 1280, height: 1180 } },
  { name: 'report-phone.png', viewport: { width: 390, height: 844 } },
];

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  for (const { name, viewport } of PICTURES) {
    const page = await browser.newPage({ viewport });
    await page.goto(`file://${report}`);
    const seek = (time) =>
      new Promise((done) => {
        const video = document.querySelector('video');
        video.addEventListener('seeked', () => requestAnimationFrame(() => setTimeout(done, 500)), { once: true });
        video.currentTime = time;
      });
    await page.evaluate(seek, MOMENT_S);
    await page.screenshot({ path: `${folder}/${name}` });
  }
  await browser.close();
})();
