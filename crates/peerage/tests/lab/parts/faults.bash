# shellcheck shell=bash
# Part of `lab`: what happens to a network while it is used.

# Prints the path of the link emulator, and builds it before if need be; in a
# folder of its own, so that it waits for no other build.
emulator() {
  if [ -n "${LAB_EMULATOR:-}" ]; then
    echo "$LAB_EMULATOR"
    return
  fi
  local folder="$HERE/../../../../target/lab"
  cargo build --quiet --release --locked --manifest-path "$HERE/link-emulator/Cargo.toml" \
    --target-dir "$folder" >&2 || die "cannot build the link emulator"
  echo "$folder/release/link-emulator"
}

# Frames between two segments of one wire would be of any size, and without
# checksums, if the kernel deferred that work to a network card.
no_offload() { inside "$1" ethtool -K "$2" tso off gso off gro off tx off >/dev/null; }

# HOST: puts the emulator's two interfaces between the host's port and the bridge
cut_wire() {
  local host=$1 end
  find_cable "$host"
  in_ip "$switch" link add "b-$host" type veth peer name "q-$host"
  in_ip "$switch" link set "$port" nomaster promisc on
  in_ip "$switch" link set "q-$host" up promisc on
  in_ip "$switch" link set "b-$host" master br0 up
  no_offload "$host" "$interface"
  for end in "$port" "b-$host" "q-$host"; do no_offload "$switch" "$end"; done
}

stop_emulator() { # HOST
  kill "$(cat "$STATE/emulator-$1")" 2>/dev/null || true
  rm "$STATE/emulator-$1"
}

shape() { # HOST NAME=NUMBER...
  local host program interface switch port log try
  host=$(uplink_of "$1")
  program=$(emulator)
  find_cable "$host"
  log="$STATE/emulator-$host.log"
  if [ -e "$STATE/emulator-$host" ]; then stop_emulator "$host"; else cut_wire "$host"; fi
  : >"$log"
  ip netns exec "$(namespace "$switch")" nice -n -10 \
    "$program" "$port" "q-$host" "${@:2}" >"$log" 2>&1 </dev/null &
  echo $! >"$STATE/emulator-$host"
  for try in $(seq 200); do
    ! grep -q ready "$log" || return 0
    kill -0 $! 2>/dev/null || break
    sleep 0.02
  done
  die "the link emulator did not start (try $try): $(cat "$log")"
}

unshape() {
  local host interface switch port
  host=$(uplink_of "$1")
  [ -e "$STATE/emulator-$host" ] || return 0
  find_cable "$host"
  stop_emulator "$host"
  in_ip "$switch" link delete "b-$host"
  in_ip "$switch" link set "$port" promisc off master br0
}

loss() { # HOST PERCENT
  local host interface switch port share condition
  host=$(uplink_of "$1")
  find_cable "$host"
  inside "$host" nft delete table netdev loss 2>/dev/null || true # there is none yet
  share=$(awk -v percent="$2" 'BEGIN { print int(percent * 100) }')
  [ "$share" -gt 0 ] || return 0
  condition="numgen random mod 10000 < $share"
  [ "$share" -lt 10000 ] || condition=""
  inside "$host" nft -f - <<NFT
table netdev loss {
  chain incoming {
    type filter hook ingress device "$interface" priority 0
    $condition drop
  }
}
NFT
}

# HOSTS: their ports in the switch, for a set of nft
ports_of() {
  local host
  for host in $1; do
    host=$(uplink_of "$host")
    printf '"p-%s", "b-%s", ' "$host" "$host"
  done
}

partition() { # HOSTS HOSTS
  local interface switch port one other
  # shellcheck disable=SC2086 # the first of a list
  set -- "$1" "$2" $1
  find_cable "$(uplink_of "$3")"
  one=$(ports_of "$1")
  other=$(ports_of "$2")
  inside "$switch" nft -f - <<NFT
table bridge partition {
  chain forward {
    type filter hook forward priority 0
    iifname { $one } oifname { $other } drop
    iifname { $other } oifname { $one } drop
  }
}
NFT
}

heal() {
  local switch
  for switch in internet switch; do
    inside "$switch" nft delete table bridge partition 2>/dev/null || true
  done
}

plug() { # HOST up|down
  local interface switch port
  find_cable "$1"
  in_ip "$switch" link set "$port" "$2"
}

roam() { # HOST ADDRESS/LENGTH [GATEWAY]
  local host=$1 address=$2 gateway=${3:-} family interface switch port old
  family=$(family_of "$address")
  find_cable "$host"
  [ -n "$gateway" ] || gateway=$(in_ip "$host" "$family" route show default | awk '{ print $3; exit }')
  old=$(addresses_of "$host" "$interface" "$family")
  add_address "$host" "$interface" "$address"
  for address in $old; do in_ip "$host" addr delete "$address" dev "$interface"; done
  [ -z "$gateway" ] || add_gateway "$host" "$gateway"
}

renat() { # HOME
  local router
  for router in "r$1" "$(uplink_of "$1")"; do
    [ -e "$STATE/type-$router" ] || continue # a public host, or behind another's router
    inside "$router" conntrack -F >/dev/null 2>&1
    inside "$router" nft flush map ip nat learnt 2>/dev/null || true # has none
    inside "$router" nft flush map ip hairpin inside 2>/dev/null || true
  done
}

rewan() { # HOME ADDRESS
  local router old
  router=$(uplink_of "$1")
  old=$(addresses_of "$router" wan -4)
  add_address "$router" wan "$2/24"
  in_ip "$router" addr delete "$old" dev wan
  route "$router" "$(cat "$STATE/type-$router")" "$2"
}

igd_settings() {
  printf '%s\n' ext_ifname=wan listening_ip=lan http_port=5000 \
    enable_upnp=yes enable_natpmp=yes secure_mode=yes \
    "uuid=$(cat /proc/sys/kernel/random/uuid)" friendly_name=lab \
    upnp_table_name=miniupnpd upnp_nat_table_name=miniupnpd upnp_forward_chain=miniupnpd \
    upnp_nat_chain=prerouting_miniupnpd upnp_nat_postrouting_chain=postrouting_miniupnpd \
    bitrate_up=1000000 bitrate_down=1000000 notify_interval=30 system_uptime=yes \
    min_lifetime=2 max_lifetime=86400 "$@" \
    'allow 1024-65535 0.0.0.0/0 1024-65535'
}

igd() { # HOME [SETTING...]
  local router="r$1" files="$STATE/igd-$1" try
  command -v miniupnpd >/dev/null || die "no miniupnpd (Debian: miniupnpd-nftables)"
  inside "$router" nft -f - <<'NFT'
table inet miniupnpd {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain forward { type filter hook forward priority -1; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 99; jump postrouting_miniupnpd; }
}
NFT
  igd_settings "${@:2}" >"$files.conf"
  in_ip "$router" route replace 239.0.0.0/8 dev lan
  ip netns exec "$(namespace "$router")" \
    miniupnpd -d -f "$files.conf" -P "$files.pid" >"$files.log" 2>&1 </dev/null &
  for try in $(seq 100); do
    # It listens on the port of NAT-PMP and PCP, 5351.
    ! inside "$router" grep -q ":14E7 " /proc/net/udp || return 0
    kill -0 $! 2>/dev/null || break
    sleep 0.02
  done
  die "miniupnpd did not start (try $try): $(tail -n 3 "$files.log")"
}

addresses() { # HOST
  local interface switch port family
  find_cable "$1"
  for family in -4 -6; do
    addresses_of "$1" "$interface" "$family" | cut -d / -f 1
  done
}
