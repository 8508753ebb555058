/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest looks like before the first program: mounts, nodes, the channel. */
#ifndef KH_SETUP_H
#define KH_SETUP_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void say(const char *words)
{
	if (write(2, words, strlen(words)) < 0)
		return; /* no console: nobody to tell */
}

/* Everything here may fail: a kernel need not have it. */
static void mount_all(void)
{
	mkdir("/dev", 0755);
	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL) != 0) {
		mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
		mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
		mknod("/dev/zero", S_IFCHR | 0666, makedev(1, 5));
		mknod("/dev/urandom", S_IFCHR | 0666, makedev(1, 9));
		mknod("/dev/ttyS1", S_IFCHR | 0600, makedev(4, 65));
		mknod("/dev/ptmx", S_IFCHR | 0666, makedev(5, 2));
	}
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mkdir("/sys", 0755);
	mount("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	/* As udev has them. A script that is run by a descriptor is read through /dev/fd. */
	if (symlink("/proc/self/fd", "/dev/fd") != 0 || symlink("/proc/self/fd/0", "/dev/stdin") != 0 ||
	    symlink("/proc/self/fd/1", "/dev/stdout") != 0 ||
	    symlink("/proc/self/fd/2", "/dev/stderr") != 0)
		say("agent: no links to descriptors in /dev\n");
	mkdir("/dev/pts", 0755);
	mount("pts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
	mkdir("/dev/shm", 01777);
	mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%");
	mkdir("/tmp", 01777);
	mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%");
	mkdir("/run", 0755);
}

/* A /tmp in which no earlier program left anything. */
static void fresh_tmp(void)
{
	umount2("/tmp", MNT_DETACH);
	mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%");
}

static int open_port(void)
{
	unsigned int major, minor;
	FILE *f;
	int fd = open("/dev/vport0p1", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	/* Without devtmpfs the number is in sysfs, if anywhere. */
	f = fopen("/sys/class/virtio-ports/vport0p1/dev", "re");
	if (!f)
		return -1;
	if (fscanf(f, "%u:%u", &major, &minor) == 2)
		mknod("/dev/vport0p1", S_IFCHR | 0600, makedev(major, minor));
	fclose(f);
	return open("/dev/vport0p1", O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

static int open_serial(void)
{
	struct termios t;
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	/* A port without hardware opens too, and then refuses this with EIO. */
	if (tcgetattr(fd, &t) != 0) {
		close(fd);
		return -1;
	}
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= ~CRTSCTS;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	cfsetspeed(&t, B115200);
	tcsetattr(fd, TCSANOW, &t);
	return fd;
}

/* kh_channel of the kernel's command line says which; "auto" tries. */
static const char *open_channel(int *fd)
{
	const char *wanted = getenv("kh_channel");
	struct timespec nap = { .tv_nsec = 5000000 };
	int tries = 2000;

	if (!wanted)
		wanted = "auto";
	if (strcmp(wanted, "serial") != 0) {
		if (strcmp(wanted, "auto") == 0)
			tries = 200;
		/* The port comes with a message of the host's, some time after the driver. */
		while (tries--) {
			*fd = open_port();
			if (*fd >= 0)
				return "virtio";
			nanosleep(&nap, NULL);
		}
	}
	if (strcmp(wanted, "virtio") != 0) {
		*fd = open_serial();
		if (*fd >= 0)
			return "serial";
	}
	return NULL;
}

#endif
