#!/usr/bin/env bash
# Composes assets/demo/demo.mp4, the sample of `make demo`, from pieces whose licences allow shipping it.
#
#   scripts/make_demo.sh PIECES [OUT]
#
# PIECES is a folder with the files named in assets/demo/LICENCES.md, which says where each comes from. They are checked
# before use. Only needed to change the sample: the result is in the repository.
set -euo pipefail
pieces=${1:?folder with the pieces}
out=${2:-$(dirname "$0")/../assets/demo/demo.mp4}
cd "$pieces"
sha256sum --check --quiet <<'SUMS'
88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5  astronaut.png
f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd  bigbuckbunny.mp4
596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb  chelsea.png
cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7  coffee.png
59dfb9a4acb36fe2a2affc14bacbee2920ff435cb13cc314a08c13f66ba7860e  jfk.wav
c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c  rocket.jpg
SUMS
cd - >/dev/null

still() { printf -- '-loop 1 -framerate 25 -t %s -i %s/%s ' "$2" "$pieces" "$1"; }
# A camera over a photo drawn twice as large as needed, so that it moves in half pixels.
camera() { printf 'scale=%s:-2:flags=lanczos,crop=1280:720:%s:%s,scale=640:360,setsar=1,format=yuv420p' "$1" "$2" "$3"; }

# shellcheck disable=SC2046
ffmpeg -v error -y \
    $(still astronaut.png 6) $(still rocket.jpg 5.5) $(still chelsea.png 5) \
    -i "$pieces/bigbuckbunny.mp4" \
    $(still astronaut.png 6) $(still chelsea.png 6) $(still coffee.png 4) \
    -i "$pieces/jfk.wav" \
    -filter_complex "
[0]$(camera 1280 0 "'60+t*28'")[s1];
[1]$(camera 1600 "'160+60*sin(t/2)'" "'348-t*63'")[s2];
[2]$(camera 1280 0 "'110-t*20'")[s3];
[3:v]trim=0:5,setpts=PTS-STARTPTS,fps=25,scale=640:360,setsar=1,format=yuv420p[s4];
color=0x5b7a99:s=1280x720:r=25:d=6[table];
[4]scale=300:300[person]; [5]scale=360:-2[cat];
[table][person]overlay=x='10+min(t,3.6)*190':y=300[with];
[with][cat]overlay=x='890+12*sin(t)':y=350,scale=640:360,setsar=1,format=yuv420p,trim=0:6[s5];
[6]$(camera 1280 0 "'66+t*8'")[s6];
[s1][s2][s3][s4][s5][s6]concat=n=6:v=1:a=0[v];
[7]aresample=48000,adelay=600:all=1,apad=whole_dur=31.5[speech];
[3:a]atrim=0:5,asetpts=PTS-STARTPTS,aformat=channel_layouts=mono,volume=0.5,aresample=48000,adelay=16500:all=1,apad=whole_dur=31.5[film];
[speech][film]amix=inputs=2:normalize=0,atrim=0:31.5[a]" \
    -map '[v]' -map '[a]' -c:v libx264 -preset veryslow -crf 24 -g 100 -pix_fmt yuv420p -c:a aac -b:a 80k -ac 1 \
    -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -movflags +faststart "$out"
